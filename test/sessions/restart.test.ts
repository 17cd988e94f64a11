import { expect } from 'chai';
import { type Message, RawClient, until } from '../server/raw-client.ts';
import { stateForEachTest } from './state-scene.ts';

/** What the server says of a session. */
interface Told {
  readonly id: string;
  readonly secret: string;
}

describe('a server with a state directory', () => {
  const scene = stateForEachTest();
  const { start, startProgram, crash, connect } = scene;

  async function open(): Promise<[RawClient, Told]> {
    const client = await RawClient.connect(scene.port);
    return [client, (await client.ask('hello', { protocol: 1, session: { timeout: 10 } })).session as Told];
  }

  /** Comes back to a session of the run before. */
  async function comeBack({ id, secret }: Told): Promise<RawClient> {
    const client = await RawClient.connect(scene.port);
    const { session } = await client.ask('hello', { protocol: 1, session: { id, secret } });
    expect(session).to.deep.equal({ state: 'reclaim', id, timeout: 10 });
    return client;
  }

  it('costs 20 holders nothing when it is killed, and lets 40 waiters in after them', async function () {
    this.timeout(30_000);
    const { program } = await startProgram();
    const holders = Array.from({ length: 20 }, () => connect());
    const handles = await Promise.all(holders.map((client, index) => client.lock(`lock ${index}`)));
    const tokens = handles.map(({ token }) => token);
    const waiters = Array.from({ length: 40 }, () => connect());
    const waits = waiters.map(async (client, index) => {
      const handle = await client.lock(`lock ${index % 20}`, { waitMs: 600_000 });
      await handle.release();
      return handle.token;
    });
    await Promise.all(waiters.map((client) => client.rpc('ping')));
    await program.kill();
    await startProgram();
    const witness = await RawClient.connect(scene.port);
    expect(await witness.take('another')).to.be.above(Math.max(...tokens));
    expect(await witness.ask('stats')).to.include({ awaitedSessions: 0, expiredSessions: 0, holders: 21 });
    expect(await Promise.all(handles.map((handle) => handle.confirm()))).to.not.include(false);
    expect(handles.map(({ signal }) => signal.aborted)).to.not.include(true);
    const held = await Promise.all(holders.map((client, index) => client.inspect(`lock ${index}`)));
    expect(held.map(({ holders: [holder] }) => holder?.token)).to.deep.equal(tokens);
    expect(await Promise.all(handles.map((handle) => handle.release()))).to.not.include(false);
    expect(Math.min(...(await Promise.all(waits)))).to.be.above(Math.max(...tokens));
  });

  it('grants nothing new until each session is back, and says so', async () => {
    await start();
    const [first, firstTold] = await open();
    const [second, secondTold] = await open();
    const tokens = [await first.take('a'), await second.take('b')];
    crash();
    await start();
    const other = await RawClient.connect(scene.port);
    for (const request of [{ timeLimit: 0 }, { steal: true }]) {
      expect(await other.ask('lock', { lockName: 'free', ...request })).to.deep.equal({
        status: 'unavailable',
        reason: 'grace',
      });
    }
    await other.queue(1, 'free');
    expect(await other.ask('stats')).to.include({ awaitedSessions: 2, waiting: 1, holders: 0 });
    const [firstBack, secondBack] = [await comeBack(firstTold), await comeBack(secondTold)];
    const holds = [{ lockName: 'a', token: tokens[0] }];
    expect(await firstBack.ask('reclaim', { holds, last: true })).to.deep.equal({ status: 'ok', lost: [] });
    await other.settle();
    expect(await secondBack.ask('reclaim', { holds: [{ lockName: 'b', token: tokens[1] }] })).to.deep.equal({
      status: 'ok',
      lost: [],
    });
    await other.settle();
    expect(await secondBack.ask('reclaim', { holds: [], last: true })).to.deep.equal({ status: 'ok', lost: [] });
    const { id, result } = (await other.next()) as { id: number; result: Message };
    expect(id).to.equal(1);
    expect(result.token).to.be.above(Math.max(...(tokens as number[])));
    expect(await other.ask('stats')).to.include({ awaitedSessions: 0, holders: 3 });
  });

  it('does not wait for a session that has ended before, or that held nothing', async () => {
    await start();
    const [leaving] = await open();
    await leaving.take('a');
    await leaving.leave();
    await open();
    // This is recorded behind the end of the first.
    const [staying, told] = await open();
    const token = await staying.take('b');
    crash();
    await start();
    const other = await RawClient.connect(scene.port);
    expect(await other.ask('stats')).to.include({ awaitedSessions: 1 });
    const back = await comeBack(told);
    await back.ask('reclaim', { holds: [{ lockName: 'b', token }], last: true });
    await other.take('a');
  });

  it('gives a lock to the one with the greater token when two claim it', async () => {
    await start();
    const [first, firstTold] = await open();
    const [second, secondTold] = await open();
    const token = await first.take('a');
    await second.take('b');
    crash();
    await start();
    const [firstBack, secondBack] = [await comeBack(firstTold), await comeBack(secondTold)];
    await firstBack.ask('reclaim', { holds: [{ lockName: 'a', token }] });
    expect(
      await secondBack.ask('reclaim', { holds: [{ lockName: 'a', token: token + 1 }], last: true }),
    ).to.deep.include({ lost: [] });
    expect(await firstBack.next()).to.deep.include({ event: 'lost', lockName: 'a', token, reason: 'forced' });
    expect(await firstBack.ask('reclaim', { holds: [{ lockName: 'a', token }], last: true })).to.deep.include({
      lost: [{ token, reason: 'forced' }],
    });
  });

  it('waits again for a client that goes before it has told all', async () => {
    await start();
    const [holder, told] = await open();
    const token = await holder.take('a');
    crash();
    await start();
    const broken = await comeBack(told);
    await broken.ask('reclaim', { holds: [{ lockName: 'a', token }] });
    broken.reset();
    const witness = await RawClient.connect(scene.port);
    await until(async () => (await witness.ask('stats')).holders === 0);
    expect(await witness.ask('stats')).to.include({ awaitedSessions: 1 });
    const back = await comeBack(told);
    expect(await back.ask('reclaim', { holds: [{ lockName: 'a', token }], last: true })).to.deep.include({ lost: [] });
  });

  it('waits for all again when it is killed before all are back', async () => {
    await start();
    const [first, firstTold] = await open();
    const [second, secondTold] = await open();
    const tokens = [await first.take('a'), await second.take('b')];
    crash();
    await start();
    const returned = await comeBack(firstTold);
    await returned.ask('reclaim', { holds: [{ lockName: 'a', token: tokens[0] }], last: true });
    crash();
    await start();
    const other = await RawClient.connect(scene.port);
    for (const [index, lockName] of ['a', 'b'].entries()) await other.queue(index, lockName);
    expect(await other.ask('stats')).to.include({ awaitedSessions: 2, waiting: 2, holders: 0 });
    const [firstBack, secondBack] = [await comeBack(firstTold), await comeBack(secondTold)];
    for (const [client, lockName, token] of [
      [firstBack, 'a', tokens[0]],
      [secondBack, 'b', tokens[1]],
    ] as const) {
      const reclaim = { holds: [{ lockName, token }], last: true };
      expect(await client.ask('reclaim', reclaim)).to.deep.equal({ status: 'ok', lost: [] });
    }
    expect(await other.ask('stats')).to.include({ awaitedSessions: 0, waiting: 2, holders: 2 });
    expect(await secondBack.ask('unlock', { lockName: 'b' })).to.include({ status: 'ok' });
    const { id, result } = (await other.next()) as { id: number; result: Message };
    expect(id).to.equal(1);
    expect(result.token).to.be.above(Math.max(...tokens));
  });

  it('refuses to give back what nobody can have held, and what nobody is to reclaim', async () => {
    await start();
    const [holder, told] = await open();
    await holder.take('a');
    crash();
    await start();
    const back = await comeBack(told);
    expect(await back.ask('reclaim', { holds: [{ lockName: 'a', token: Number.MAX_SAFE_INTEGER }] })).to.include({
      status: 'invalid',
    });
    await back.ask('reclaim', { holds: [], last: true });
    expect(await back.ask('reclaim', { holds: [] })).to.include({ status: 'invalid' });
  });
});
