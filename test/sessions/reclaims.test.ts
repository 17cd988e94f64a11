import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { MemoryLedger, NO_SESSIONS } from '../../lib/ledger/memory-ledger.ts';
import { TokenBlock } from '../../lib/ledger/token-block.ts';
import { makeGate } from '../../lib/message/gate.ts';
import { granted, limitReached } from '../server/answers.ts';
import { endTest } from '../server/clean-up.ts';
import { type Message, type RawClient, until } from '../server/raw-client.ts';
import { LogRecorder, type RunningServer, startServer } from '../server/running-server.ts';
import { refusalsOf } from '../support/refusals.ts';
import { LIMITS, startWithList } from './session-scene.ts';

/** A session of the run before. */
const KEY = { id: 'before', secret: 'secret' };
const RECORD = { id: KEY.id, secretHash: createHash('sha256').update(KEY.secret).digest('base64url') };

describe('a client that reclaims its locks', () => {
  let server: RunningServer;

  beforeEach(async () => {
    server = await startWithList({ atStart: [{ ...RECORD, timeoutMs: 3_600_000 }] });
  });
  afterEach(endTest);

  it('gets those again that an attempt before had got, though these are still being freed', async () => {
    const holds = Array.from({ length: 3_000 }, (_, index) => ({ lockName: `${index}`, token: index + 1 }));
    const [first, second] = await server.connectTwo();
    await comeBack(first);
    await first.ask('reclaim', { holds });
    const hello = { protocol: 1, session: KEY };
    second.send(
      { command: 'hello', parameters: hello, id: 1 },
      { command: 'reclaim', parameters: { holds, last: true }, id: 2 },
    );
    await second.next();
    expect(await second.next()).to.deep.equal({ id: 2, result: { status: 'ok', lost: [] } });
    await second.settle();
    expect(await second.ask('stats')).to.include({ holders: holds.length, awaitedSessions: 0 });
  });

  it('gets no more of them than maxLocksPerSession', async () => {
    const limited = await startWithList({ atStart: [{ ...RECORD, timeoutMs: 3_600_000 }] }, undefined, {
      maxLocksPerSession: 2,
    });
    const client = await limited.connect();
    await comeBack(client);
    const hold = (token: number): object => ({ lockName: `${token}`, token });
    const refusal = limitReached('maxLocksPerSession', 2);
    expect(await client.ask('reclaim', { holds: [hold(1), hold(2), hold(3)] })).to.deep.equal(refusal);
    expect(await client.ask('reclaim', { holds: [hold(1)] })).to.deep.equal({ status: 'ok', lost: [] });
    expect(await client.ask('reclaim', { holds: [hold(2), hold(3)] })).to.deep.equal(refusal);
    expect(await client.ask('reclaim', { holds: [hold(2)], last: true })).to.deep.equal({ status: 'ok', lost: [] });
    expect(await client.ask('stats')).to.include({ holders: 2, awaitedSessions: 0 });
    expect(refusalsOf(limited.server.counters)).to.deep.equal({ maxLocksPerSession: 2 });
  });

  it('may release a lock at once, and ask for others in the order of its requests', async () => {
    const [client, other] = await server.connectTwo();
    await comeBack(client);
    await other.queue(1, 'jobs');
    client.send(
      { command: 'reclaim', parameters: { holds: [{ lockName: 'jobs', token: 7 }] }, id: 1 },
      { command: 'unlock', parameters: { lockName: 'jobs', token: 7 }, id: 2 },
      { command: 'reclaim', parameters: { holds: [{ lockName: 'more', token: 8 }], last: true }, id: 3 },
      { command: 'lock', parameters: { lockName: 'more' }, id: 4 },
    );
    const results = (await client.nextMany(4)).map(({ id, result }) => [id, (result as Message).status]);
    expect(results).to.deep.equal([1, 2, 3, 4].map((id) => [id, 'ok']));
    expect(await other.next()).to.deep.equal({ id: 1, result: granted(9) });
  });

  it('gets nothing back that no run with these limits can have granted', async () => {
    server = await startWithList({ atStart: [{ ...RECORD, timeoutMs: 3_600_000 }] }, undefined, {
      maxNameBytes: 1_000,
      maxOwnerBytes: 8,
      maxBytesPerSession: 5_000,
    });
    const [client] = await server.connectTwo();
    await comeBack(client);
    const long = 'x'.repeat(1_000);
    const holds = [
      { lockName: `${long}x`, token: 1 },
      { lockName: 'a', token: 2, owner: 'too long!' },
      ...[3, 4, 5, 6, 7].map((token) => ({ lockName: `${token}${long.slice(1)}`, token, owner: 'fits' })),
    ];
    const lost = [1, 2, 6, 7].map((token) => ({ token, reason: 'forced' }));
    expect(await client.ask('reclaim', { holds, last: true })).to.deep.equal({ status: 'ok', lost });
  });

  it('ends when it closes its side behind its reclaim', async () => {
    const [first, second] = await server.connectTwo();
    await comeBack(first);
    const reclaim = { holds: [{ lockName: 'jobs', token: 7 }], last: true };
    first.send({ command: 'reclaim', parameters: reclaim, id: 1 });
    first.socket.end();
    expect(await first.rest()).to.deep.equal([{ id: 1, result: { status: 'ok', lost: [] } }]);
    expect(await second.ask('stats')).to.include({ awaitedSessions: 0, holders: 0 });
  });

  it('has tokens of which nobody knows whether they are current before it has told all', async () => {
    const [client, other] = await server.connectTwo();
    const outcome = async (lockName: string, token: number): Promise<unknown> =>
      (await other.ask('verify', { lockName, token })).outcome;
    await comeBack(client);
    await client.ask('reclaim', { holds: [{ lockName: 'more', token: 9 }] });
    expect([await outcome('more', 9), await outcome('jobs', 7)]).to.deep.equal(['current', 'unknown']);
    await client.ask('reclaim', { holds: [{ lockName: 'jobs', token: 7 }], last: true });
    expect([await outcome('jobs', 7), await outcome('jobs', 8)]).to.deep.equal(['current', 'superseded']);
  });
});

describe('a client that is gone before its reclaim is on record', () => {
  afterEach(endTest);

  it('may reclaim its locks again', async () => {
    const raised = makeGate();
    const logger = new LogRecorder();
    let asked = 0;
    const reserve = (): Promise<void> => {
      asked += 1;
      return raised.promise;
    };
    const ledger = Object.assign(new MemoryLedger(0), {
      tokens: new TokenBlock({ begin: 0, reserved: 10, size: 10, reserve }),
      sessions: { ...NO_SESSIONS, atStart: [{ ...RECORD, timeoutMs: 3_600_000 }] },
    });
    const server = await startServer(LIMITS, logger, { ledger });
    const [first, second] = await server.connectTwo();
    await comeBack(first);
    const reclaim = { holds: [{ lockName: 'jobs', token: 77 }], last: true };
    first.send({ command: 'reclaim', parameters: reclaim, id: 1 });
    await until(() => asked === 1);
    first.reset();
    await until(async () => (await second.ask('stats')).openConnections === 1);
    raised.resolve();
    await comeBack(second);
    expect(await second.ask('reclaim', reclaim)).to.deep.equal({ status: 'ok', lost: [] });
    expect(await second.ask('stats')).to.include({ awaitedSessions: 0, holders: 1 });
    expect(logger.entries.filter(({ level }) => level === 'error')).to.deep.equal([]);
  });
});

describe('a session of the run before whose client never returns', () => {
  afterEach(endTest);

  it('L3: has its locks granted to others after its own time only, once its end is on record', async () => {
    const recorded = makeGate();
    const ended: string[] = [];
    const server = await startWithList({
      atStart: [
        { ...RECORD, timeoutMs: 3_600_000 },
        { ...RECORD, id: 'lost', timeoutMs: 200 },
      ],
      end: (id) => {
        ended.push(id);
        return recorded.promise;
      },
    });
    const [client, other] = await server.connectTwo();
    await other.queue(1, 'free');
    await comeBack(client);
    await client.ask('reclaim', { holds: [{ lockName: 'jobs', token: 7 }], last: true });
    await other.queue(2, 'jobs');
    await until(() => ended.length > 0);
    expect(ended).to.deep.equal(['lost']);
    expect(await other.ask('stats')).to.include({ awaitedSessions: 1, waiting: 2, holders: 1 });
    recorded.resolve();
    expect(await other.next()).to.deep.equal({ id: 1, result: granted(8) });
    expect(await other.ask('stats')).to.include({ awaitedSessions: 0, expiredSessions: 1, waiting: 1, holders: 2 });
    expect(await client.ask('unlock', { lockName: 'jobs', token: 7 })).to.include({ status: 'ok' });
    expect(await other.next()).to.deep.equal({ id: 2, result: granted(9) });
  });
});

async function comeBack(client: RawClient): Promise<void> {
  const { session } = await client.ask('hello', { protocol: 1, session: KEY });
  expect(session).to.include({ state: 'reclaim' });
}
