import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { awaitHandshakeTurn } from '../../lib/transports/handshake-turns.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';

const COUNT = 50;
const LONG_MS = 60_000;

describe('the turns of handshakes', () => {
  let server: Server;
  let told: string[];

  beforeEach(async () => {
    told = [];
    server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    whenTestEnds(() => server.close());
  });
  afterEach(endTest);

  async function openPair(timeoutMs: number): Promise<{ readonly near: Socket; readonly far: Socket }> {
    const far = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [near] = (await once(server, 'connection')) as [Socket];
    awaitHandshakeTurn(near, timeoutMs, { begin: () => told.push('begin'), late: () => told.push('late') });
    for (const socket of [near, far]) whenTestEnds(() => socket.destroy());
    return { near, far };
  }

  it('come one by one when many clients speak at the same time, and leave what they said', async () => {
    const pairs = [];
    for (let number = 0; number < COUNT; number += 1) pairs.push(await openPair(LONG_MS));
    for (const { far } of pairs) far.write('hello');
    let most = 0;
    for (let before = 0; before < COUNT; before = told.length) {
      await nextTurn();
      most = Math.max(most, told.length - before);
    }
    expect(most).to.be.within(1, 2);
    for (const { near } of pairs) expect(String(near.read())).to.equal('hello');
  });

  it('never come for clients that go before, with or without a word', async () => {
    const [silent, speaker, last] = [await openPair(LONG_MS), await openPair(LONG_MS), await openPair(LONG_MS)];
    silent.far.end();
    await once(silent.near, 'close');
    speaker.near.once('readable', () => speaker.near.destroy());
    speaker.far.write('hello');
    await once(speaker.near, 'close');
    last.far.write('hello');
    while (told.length === 0) await nextTurn();
    expect(told).to.deep.equal(['begin']);
  });

  it('are over for clients that say nothing in time', async () => {
    const { far } = await openPair(20);
    while (told.length === 0) await nextTurn();
    far.write('hello');
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    expect(told).to.deep.equal(['late']);
  });
});
