import { expect } from 'chai';
import type { Ledger } from '../../lib/ledger/ledger.ts';
import { MemoryLedger } from '../../lib/ledger/memory-ledger.ts';
import { TokenBlock } from '../../lib/ledger/token-block.ts';
import { endTest } from './clean-up.ts';
import { type RunningServer, startServer } from './running-server.ts';

/** A ledger with ten tokens, until `confirm` is called. */
function slowLedger(): { readonly ledger: Ledger; readonly confirm: () => void } {
  const confirms: (() => void)[] = [];
  const reserve = (): Promise<void> => new Promise((confirm) => confirms.push(confirm));
  const tokens = new TokenBlock({ begin: 0, reserved: 10, size: 10, reserve });
  return { ledger: Object.assign(new MemoryLedger(0), { tokens }), confirm: () => confirms.shift()?.() };
}

describe('a server without further tokens', () => {
  let server: RunningServer;
  let confirm: () => void;

  beforeEach(async () => {
    const slow = slowLedger();
    confirm = slow.confirm;
    server = await startServer({}, undefined, { ledger: slow.ledger });
  });
  afterEach(endTest);

  it('L1: lets grants wait until more are reserved, serves everything else, and keeps the order', async () => {
    const [holder, first, second] = await server.connectThree();
    for (let token = 1; token <= 10; token += 1) expect(await holder.take(`a${token}`)).to.equal(token);
    await first.queue(1, 'jobs');
    await second.queue(1, 'jobs');
    expect(await holder.ask('lock', { lockName: 'jobs', timeLimit: 0 })).to.deep.equal({ status: 'unavailable' });
    expect(await holder.ask('lock', { lockName: 'a1' })).to.include({ status: 'ok', token: 1, alreadyHeld: true });
    expect(await holder.ask('unlock', { lockName: 'a1' })).to.include({ status: 'ok' });
    expect(await holder.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 0, waiterCount: 2 });
    confirm();
    expect(await first.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 11, count: 1 } });
    await first.ask('unlock', { lockName: 'jobs' });
    expect(await second.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 12, count: 1 } });
  });

  it('L1: lets no waiter in when a lock is freed meanwhile', async () => {
    const [holder, waiter] = await server.connectWaiter('jobs');
    for (let token = 2; token <= 10; token += 1) await holder.take(`a${token}`);
    await holder.ask('unlock', { lockName: 'jobs' });
    expect(await holder.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 0, waiterCount: 1 });
    confirm();
    expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 11, count: 1 } });
  });

  it('frees the locks of a client that leaves meanwhile', async () => {
    const [holder, waiter] = await server.connectTwo();
    for (let token = 1; token <= 10; token += 1) await holder.take(`a${token}`);
    await waiter.queue(1, 'a1');
    holder.socket.destroy();
    const isFree = async (): Promise<boolean> => (await waiter.ask('inspect', { lockName: 'a1' })).holderCount === 0;
    while (!(await isFree()));
    confirm();
    expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 11, count: 1 } });
  });
});
