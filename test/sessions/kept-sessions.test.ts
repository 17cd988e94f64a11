import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import type { SessionList } from '../../lib/ledger/ledger.ts';
import { NO_SESSIONS } from '../../lib/ledger/memory-ledger.ts';
import { makeGate } from '../../lib/message/gate.ts';
import { type KeptSession, KeptSessions } from '../../lib/sessions/kept-sessions.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { granted } from '../server/answers.ts';
import { type RawClient, until } from '../server/raw-client.ts';
import { LOOPBACK, LogRecorder, portOf, serverForEachTest } from '../server/running-server.ts';
import { LIMITS, open, resume, startWithList, type Told } from './session-scene.ts';

/** A WebSocket client with a session that holds a lock. */
async function holdByWebSocket(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(socket, 'open');
  for (const [id, command, parameters] of [
    [1, 'hello', { protocol: 1, session: {} }],
    [2, 'lock', { lockName: 'web' }],
  ] as const) {
    socket.send(JSON.stringify({ command, parameters, id }));
    await once(socket, 'message');
  }
  return socket;
}

describe('a session that outlives its connection', () => {
  const server = serverForEachTest(LIMITS, undefined, { forceUnlock: true });

  /** A client with a session that holds `jobs`, and one that waits for it with request 1. */
  async function connectHolder(
    timeout?: number,
  ): Promise<{ holder: RawClient; waiter: RawClient; session: Told; token: number }> {
    const [holder, waiter] = await server.connectTwo();
    const session = await open(holder, timeout);
    const token = await holder.take('jobs');
    await waiter.queue(1, 'jobs');
    return { holder, waiter, session, token };
  }

  /** Resets a connection, and waits until the server knows. */
  async function cut(client: RawClient, witness: RawClient, count = 1): Promise<void> {
    client.reset();
    await until(async () => (await witness.ask('stats')).suspendedSessions === count);
  }

  it('is opened with an id, a secret and the time-out that was asked for', async () => {
    const client = await server.connect();
    const session = await open(client, 15);
    expect(session).to.include({ state: 'opened', timeout: 15 });
    expect(session.id).to.match(/^[\w-]{16}$/);
    expect(session.secret).to.match(/^[\w-]{32}$/);
    expect(session.secret).not.to.equal((await open(await server.connect())).secret);
  });

  for (const [what, request] of [
    ['a request that is answered', { command: 'ping', id: 9 }],
    ['one that is not', { command: 'ping' }],
  ] as const) {
    it(`keeps its locks when the server reads ${what} and a reset behind it at once`, async () => {
      const { holder, waiter, session, token } = await connectHolder();
      holder.send(request);
      await cut(holder, waiter);
      expect(await resume(await server.connect(), session, { holds: [token] })).to.deep.include({
        state: 'resumed',
        lost: [],
      });
    });
  }

  it('keeps its locks when the connection is reset, and goes on with another', async () => {
    const { holder, waiter, session, token } = await connectHolder();
    await cut(holder, waiter);
    const again = await server.connect();
    expect(await resume(again, session, { holds: [token] })).to.deep.equal({
      state: 'resumed',
      id: session.id,
      timeout: 20,
      lost: [],
      answers: [],
      unknown: [],
    });
    expect(await again.ask('lock', { lockName: 'jobs' })).to.deep.equal({ ...granted(token), alreadyHeld: true });
    expect(await waiter.ask('stats')).to.include({ suspendedSessions: 0, resumedSessions: 1, orphans: 0, holders: 1 });
    await again.ask('unlock', { lockName: 'jobs' });
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(token + 1) });
  });

  it('ends with the connection when the client closes its side', async () => {
    const { holder, waiter, session, token } = await connectHolder();
    holder.socket.end();
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(token + 1) });
    expect(await resume(await server.connect(), session)).to.include({ state: 'gone' });
  });

  it('ends at once when the client says bye, whose connection goes on', async () => {
    const { holder, waiter, session, token } = await connectHolder();
    expect(await holder.ask('bye')).to.deep.equal({ status: 'ok' });
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(token + 1) });
    holder.reset();
    expect(await resume(await server.connect(), session)).to.include({ state: 'gone' });
  });

  it('ends with a WebSocket that sends its close frame, and not with one that breaks', async () => {
    const port = portOf(
      await server.server.listen(webSocket({ ...LOOPBACK, origins: [], hosts: [], maxMessageBytes: 1_000 })),
    );
    const witness = await server.connect();
    const leaving = await holdByWebSocket(port);
    leaving.close();
    await until(async () => (await witness.ask('stats')).holders === 0);
    const breaking = await holdByWebSocket(port);
    breaking.terminate();
    await until(async () => (await witness.ask('stats')).suspendedSessions === 1);
    expect(await witness.ask('stats')).to.include({ holders: 1, orphans: 1 });
  });

  it('frees its locks when nobody resumes it in time', async () => {
    const { holder, waiter, session, token } = await connectHolder(0.001);
    holder.reset();
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(token + 1) });
    expect(await waiter.ask('stats')).to.include({ suspendedSessions: 0, expiredSessions: 1, orphans: 1 });
    const told = await resume(await server.connect(), session, { holds: [token] });
    expect(told).to.include({ state: 'gone' }).and.to.have.property('secret');
  });

  it('L3: hands its locks on only when its end is on record', async () => {
    const recorded = makeGate();
    const ended: string[] = [];
    const server = await startWithList({
      end: (id) => {
        ended.push(id);
        return recorded.promise;
      },
    });
    const [holder, waiter] = await server.connectTwo();
    const session = await open(holder, 0.001);
    await holder.take('jobs');
    await waiter.queue(1, 'jobs');
    holder.reset();
    await until(() => ended.length > 0);
    expect(ended).to.deep.equal([session.id]);
    expect(await waiter.ask('stats')).to.include({ expiredSessions: 1, holders: 1, waiting: 1 });
    expect(await resume(await server.connect(), session)).to.include({ state: 'gone' });
    recorded.resolve();
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(2) });
  });

  it('is over, with its connection, when its client does not tell in time what it held before a restart', async () => {
    const secretHash = createHash('sha256').update('secret').digest('base64url');
    const logger = new LogRecorder();
    const server = await startWithList({ atStart: [{ id: 'before', secretHash, timeoutMs: 200 }] }, logger);
    const [slow, witness] = await server.connectTwo();
    const before = { state: 'opened', id: 'before', secret: 'secret', timeout: 0.2 };
    expect(await resume(slow, before)).to.deep.equal({ state: 'reclaim', id: 'before', timeout: 0.2 });
    await slow.queue(1, 'jobs');
    await slow.closed;
    await witness.take('jobs');
    expect(await witness.ask('stats')).to.include({ awaitedSessions: 0, suspendedSessions: 0, expiredSessions: 1 });
    expect(logger.entries.filter(({ level }) => level === 'error')).to.deep.equal([]);
  });

  it('is over once, though its client leaves in the turn in which its time is over', async () => {
    const secretHash = createHash('sha256').update('secret').digest('base64url');
    const list: SessionList = { ...NO_SESSIONS, atStart: [{ id: 'before', secretHash, timeoutMs: 1 }] };
    const expired: string[] = [];
    const sessions = new KeptSessions<string>(LIMITS, list, () => performance.now(), {
      expired: ({ id }) => expired.push(id),
      graceOver: () => {},
    });
    const session = sessions.find({ id: 'before', secret: 'secret' }) as KeptSession<string>;
    sessions.attach(session, 'client');
    const left = delay(1).then(() => sessions.end(session));
    // Both times are over when the event loop looks again.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    await left;
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    expect(expired).to.deep.equal([]);
    expect(sessions).to.include({ awaitedCount: 0, expiredCount: 0 });
  });

  it('C2: is awaited for longer than its time-out where another server may have led', async () => {
    const before = { id: 'before', secretHash: 'hash', timeoutMs: 1 };
    const list: SessionList = { ...NO_SESSIONS, atStart: [before], extraWaitMs: 3_600_000 };
    const events = { expired: () => {}, graceOver: () => {} };
    const sessions = new KeptSessions<string>(LIMITS, list, () => performance.now(), events);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    await delay(1);
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    expect(sessions).to.include({ awaitedCount: 1, expiredCount: 0 });
    sessions.close();
  });

  it('S1: is ended by nothing that comes from a connection once another has taken over', async () => {
    const { holder, waiter, session, token } = await connectHolder();
    const second = await server.connect();
    const { id, secret } = session;
    second.send({
      command: 'hello',
      parameters: { protocol: 1, session: { id, secret, holds: [token] } },
      id: 'resume',
    });
    await second.next();
    holder.send({ command: 'unlock', parameters: { lockName: 'jobs' } });
    holder.socket.end();
    await holder.closed;
    expect(await waiter.ask('inspect', { lockName: 'jobs' })).to.have.nested.property('holders[0].token', token);
  });

  it('S1: is ended by no FIN that comes once the server has begun to close the connection', async () => {
    const { holder, waiter, session, token } = await connectHolder();
    holder.write(`{"${'x'.repeat(2 ** 20)}`);
    expect(await holder.next()).to.have.nested.property('error.status', 'limit');
    holder.socket.end();
    await holder.closed;
    expect(await waiter.ask('stats')).to.include({ suspendedSessions: 1, holders: 1 });
    const told = await resume(await server.connect(), session, { holds: [token] });
    expect(told).to.deep.include({ state: 'resumed', lost: [] });
  });

  it('S3: frees in one step what the client does not list', async () => {
    const { holder, waiter, session, token } = await connectHolder();
    const kept = await holder.take('kept');
    await waiter.queue(2, 'kept');
    await holder.ask('lock', { lockName: 'more', owner: 'x' });
    await cut(holder, waiter);
    const again = await server.connect();
    expect(await resume(again, session, { holds: [kept] })).to.deep.include({ lost: [], answers: [], unknown: [] });
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(token + 3) });
    expect(await waiter.ask('inspect', { lockName: 'more' })).to.include({ holderCount: 0 });
    expect(await waiter.ask('inspect', { lockName: 'kept' })).to.include({ holderCount: 1, waiterCount: 1 });
  });

  it('S3: tells which of the listed holds it no longer has, and how each ended, each time that it is asked', async () => {
    const { holder, waiter, session, token } = await connectHolder();
    const leased = await holder.take('leased', { lease: 0.001 });
    await holder.next();
    const stolen = await holder.take('stolen', { stealable: true });
    const forced = await holder.take('forced');
    await waiter.ask('forceUnlock', { lockName: 'forced' });
    await cut(holder, waiter);
    await waiter.ask('lock', { lockName: 'stolen', steal: true, owner: 'thief' });
    const lost = [
      { token: leased, reason: 'lease' },
      { token: stolen, reason: 'stolen' },
      { token: forced, reason: 'forced' },
      { token: 99, reason: 'forced' },
    ];
    for (let time = 0; time < 2; time += 1) {
      const again = await server.connect();
      const told = await resume(again, session, { holds: [token, leased, stolen, forced, 99] });
      expect(told.lost).to.deep.equal(lost);
    }
  });

  it('tells how all holds ended that it lost without a connection, however many', async () => {
    const { holder, waiter, session } = await connectHolder();
    const names = Array.from({ length: 300 }, (_, index) => `lock ${index}`);
    const tokens: number[] = [];
    for (const name of names) tokens.push(await holder.take(name, { stealable: true }));
    await cut(holder, waiter);
    for (const lockName of names) await waiter.ask('lock', { lockName, steal: true, owner: 'thief' });
    const told = await resume(await server.connect(), session, { holds: tokens });
    expect(told.lost).to.deep.equal(tokens.map((token) => ({ token, reason: 'stolen' })));
  });

  it('tells how the last hundred holds ended that it lost while it was connected', async () => {
    const { holder, waiter, session } = await connectHolder();
    const names = Array.from({ length: 150 }, (_, index) => `lock ${index}`);
    const tokens: number[] = [];
    for (const name of names) tokens.push(await holder.take(name, { stealable: true }));
    for (const lockName of names) await waiter.ask('lock', { lockName, steal: true, owner: 'thief' });
    await holder.nextMany(names.length);
    await cut(holder, waiter);
    const told = await resume(await server.connect(), session, { holds: tokens });
    const reasonOf = (index: number): string => (index < 50 ? 'forced' : 'stolen');
    expect(told.lost).to.deep.equal(tokens.map((token, index) => ({ token, reason: reasonOf(index) })));
  });

  it('S3: keeps its place in queues, and answers on the new connection', async () => {
    const [holder, waiting, behind] = await server.connectThree();
    const token = await holder.take('jobs');
    const session = await open(waiting);
    await waiting.queue(7, 'jobs');
    await behind.queue(1, 'jobs');
    await cut(waiting, behind);
    const again = await server.connect();
    expect(await resume(again, session, { requests: [7] })).to.deep.include({ answers: [], unknown: [] });
    await again.settle();
    await holder.ask('unlock', { lockName: 'jobs' });
    expect(await again.next()).to.deep.equal({ id: 7, result: granted(token + 1) });
    expect(await again.ask('cancel', { id: 7 })).to.deep.equal({ status: 'ok', outcome: 'granted' });
  });

  it('S3: answers a listed request that was granted meanwhile, and names the ones that it does not know', async () => {
    const [holder, waiting, other] = await server.connectThree();
    const token = await holder.take('jobs');
    const session = await open(waiting);
    await waiting.queue(7, 'jobs');
    await waiting.queue('8', 'jobs', { owner: 'x', timeLimit: 0.001 });
    await waiting.next();
    await cut(waiting, other);
    await holder.ask('unlock', { lockName: 'jobs' });
    expect(await resume(await server.connect(), session, { requests: [7, '8', 'never'] })).to.deep.include({
      answers: [{ id: 7, result: granted(token + 1) }],
      unknown: ['8', 'never'],
    });
  });

  it('S3: cancels a waiting request that the client does not list', async () => {
    const [holder, waiting, other] = await server.connectThree();
    await holder.take('jobs');
    const session = await open(waiting);
    await waiting.queue(7, 'jobs');
    await cut(waiting, other);
    const again = await server.connect();
    await resume(again, session);
    expect(await other.ask('inspect', { lockName: 'jobs' })).to.include({ waiterCount: 0 });
    await holder.ask('unlock', { lockName: 'jobs' });
    await again.settle();
  });

  it('S3: answers a lockAll that was granted meanwhile with its tokens in order', async () => {
    const [holder, waiting, other] = await server.connectThree();
    const token = await holder.take('b');
    const session = await open(waiting);
    const locks = ['c', 'b', 'a'].map((lockName) => ({ lockName }));
    waiting.send({ command: 'lockAll', parameters: { locks }, id: 9 });
    await waiting.settle();
    await cut(waiting, other);
    await holder.ask('unlock', { lockName: 'b' });
    const again = await server.connect();
    const { answers } = await resume(again, session, { requests: [{ id: 9, locks: 3 }] });
    const tokens = [token + 1, token + 2, token + 3];
    expect(answers).to.deep.equal([{ id: 9, result: { status: 'ok', tokens, counts: [1, 1, 1] } }]);
    expect(await again.ask('unlock', { lockName: 'c', token: token + 1 })).to.include({ status: 'ok' });
  });

  it('S3: frees a granted lockAll that is not whole any more', async () => {
    const [holder, waiting, other] = await server.connectThree();
    await holder.take('b');
    const session = await open(waiting);
    const locks = ['a', 'b'].map((lockName) => ({ lockName }));
    waiting.send({ command: 'lockAll', parameters: { locks }, id: 9 });
    await waiting.settle();
    await cut(waiting, other);
    await holder.ask('unlock', { lockName: 'b' });
    await other.ask('forceUnlock', { lockName: 'a' });
    const again = await server.connect();
    expect(await resume(again, session, { requests: [{ id: 9, locks: 2 }] })).to.deep.include({
      answers: [],
      unknown: [9],
    });
    for (const lockName of ['a', 'b']) {
      expect(await other.ask('inspect', { lockName })).to.include({ holderCount: 0 });
    }
  });

  it('is shown as long as it is suspended, and until when', async () => {
    const { holder, waiter } = await connectHolder(3_600);
    const shown = async (): Promise<object[]> => {
      const { locks } = (await waiter.ask('list')) as { locks: object[] };
      return [await waiter.ask('inspect', { lockName: 'jobs' }), ...locks];
    };
    for (const lock of await shown()) expect(lock).not.to.have.nested.property('holders[0].expiresInMs');
    await cut(holder, waiter);
    const suspended = await shown();
    expect(suspended).to.have.length(2);
    for (const lock of suspended) {
      expect(lock).to.have.nested.property('holders[0].expiresInMs').that.is.within(1, 3_600_000);
    }
  });

  it('is resumed by nobody who does not know its secret', async () => {
    const { holder, waiter, session, token } = await connectHolder();
    await cut(holder, waiter);
    for (const wrong of [{ secret: 'x' }, { secret: '' }, { id: 'x' }, { id: '__proto__' }]) {
      expect(await resume(await server.connect(), { ...session, ...wrong }, { holds: [token] })).to.include({
        state: 'gone',
      });
    }
    expect(await resume(await server.connect(), session, { holds: [token] })).to.include({ state: 'resumed' });
  });

  it('refuses what makes no sense, and changes nothing', async () => {
    const client = await server.connect();
    const { id, secret } = await open(await server.connect());
    for (const [session, message] of [
      [{ id }, 'parameters.session.secret is missing; expected id and secret, or neither'],
      [{ secret }, 'parameters.session.id is missing; expected id and secret, or neither'],
      [{ timeout: 0 }, 'parameters.session.timeout is 0; expected a number of seconds above 0, up to 1000000000'],
      [{ holds: ['x'] }, 'parameters.session.holds[0] is "x"; expected a whole number below 2^53'],
      [
        { requests: [{ id: 1 }] },
        'parameters.session.requests[0] is {"id":1}; expected the id of a lock request, or {"id", "locks"} for one of so many locks',
      ],
    ] as const) {
      expect(await client.ask('hello', { protocol: 1, session })).to.include({ status: 'invalid', message });
    }
    await client.take('jobs');
    expect(await client.ask('hello', { protocol: 1, session: { id, secret } })).to.include({
      status: 'invalid',
      message: 'parameters.session.id came after a lock request; expected it in the first message',
    });
    await open(client);
    expect(await client.ask('hello', { protocol: 1, session: {} })).to.include({
      status: 'invalid',
      message: 'parameters.session is here twice; expected it once',
    });
  });
});
