import { expect } from 'chai';
import type { LockClient, LockClientOptions } from '../../lib/client/lock-client.ts';
import { LockLostError } from '../../lib/client/lock-error.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { findTooManyValues } from '../../lib/wire/json-values.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import type { Message, RawClient } from '../server/raw-client.ts';
import { RawServer } from '../support/raw-server.ts';
import { emitted, lazyClient, whenLost } from './client-scene.ts';

const TIMEOUT = 20;
/** More than half of what a client trusts its session without an answer, and less than all of it. */
const MOVED_MS = 12_000;
const LEASE_MS = 3_000;
/** When a lease is renewed. */
const RENEWAL_MS = LEASE_MS / 3;
/** Two of them are too much for one message. */
const LONG_NAMES = ['a', 'b'].map((letter) => letter.repeat(150_000)) as [string, string];

const MAX_BYTES = 100_000;

/** What a server tells. */
interface MessageLimits {
  readonly maxMessageValues?: number;
  readonly maxMessageBytes?: number;
}

function expectFits(message: Message, limits: MessageLimits): void {
  const { maxMessageValues = MAX_BYTES, maxMessageBytes = MAX_BYTES } = limits;
  const bytes = Buffer.from(JSON.stringify(message));
  expect(findTooManyValues(bytes, maxMessageValues)).to.equal(undefined);
  expect(bytes.length).to.be.at.most(maxMessageBytes);
}

/** A request of the client. */
interface Asked extends Message {
  readonly command: string;
  readonly parameters: Message;
}

function opened(timeout: number): object {
  return { id: 'session', secret: 'secret', state: 'opened', timeout };
}

/** Moves the wall clock; the monotonic one stands still meanwhile, as on Linux while the machine sleeps. */
function moveWallClock(byMs: number): void {
  const { now } = Date;
  Date.now = () => now() + byMs;
  whenTestEnds(() => {
    Date.now = now;
  });
}

/** Resolves once all timers have run that were set before, for so long. */
function timerBehind(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms + 1));
}

/** The test answers in the place of the server. */
describe('a client that goes on with its session', () => {
  let server: RawServer;
  let client: LockClient;
  let peer: RawClient;

  beforeEach(async () => {
    server = await RawServer.listen();
    whenTestEnds(() => server.close());
    await open();
  });
  afterEach(endTest);

  async function open(options: LockClientOptions = {}, told: object = {}): Promise<void> {
    const limits = { maxMessageBytes: MAX_BYTES, maxUnsentBytes: 10 * MAX_BYTES };
    client = lazyClient({ port: server.port, reconnect: { minDelayMs: 1, maxDelayMs: 20 }, ...limits, ...options });
    const connected = client.connect();
    peer = await server.accept();
    answer(await next('hello'), { protocol: 1, session: opened(TIMEOUT), ...told });
    await connected;
  }

  async function next(command: string): Promise<Asked> {
    const request = (await peer.next()) as Asked;
    expect(request).to.include({ command });
    return request;
  }

  function answer({ id }: Asked, result: object = {}): void {
    peer.send({ id, result: { status: 'ok', ...result } });
  }

  async function take(name: string, token: number): Promise<LockHandle> {
    const locked = client.lock(name);
    answer(await next('lock'), { token, count: 1 });
    return await locked;
  }

  /** Asks for locks that are not granted. */
  async function wait(...names: readonly string[]): Promise<void> {
    for (const name of names) client.lock(name).catch(() => {});
    for (const _ of names) await next('lock');
  }

  /** Resets the connection, or ends it in another way; returns the greeting on the next one. */
  async function comeBack(end: () => unknown = () => peer.reset()): Promise<Asked> {
    const suspended = emitted(client, 'suspend');
    end();
    await suspended;
    peer = await server.accept();
    return await next('hello');
  }

  /** What the client says that it has. */
  function listed(greeting: Asked): Message {
    return greeting.parameters.session as Message;
  }

  function answerGreeting(greeting: Asked, session: object): void {
    answer(greeting, { protocol: 1, session: { id: 'session', timeout: TIMEOUT, ...session } });
  }

  /** Answers the greeting; resolves when the client has taken it. */
  async function resume(greeting: Asked, session: object = {}): Promise<void> {
    const resumed = emitted(client, 'resume');
    answerGreeting(greeting, { state: 'resumed', ...session });
    await resumed;
  }

  /** Resolves when the client has read everything that was sent to it. */
  async function settle(): Promise<void> {
    const told = emitted(client, 'event');
    peer.send({ event: 'settled' });
    await told;
  }

  it('S4: counts no answer to a part of a reclaim before all of it is answered', async () => {
    const [handle] = [await take(LONG_NAMES[0], 1), await take(LONG_NAMES[1], 2)];
    const greeting = await comeBack();
    moveWallClock(MOVED_MS);
    answerGreeting(greeting, { state: 'reclaim' });
    answer(await next('reclaim'), { lost: [] });
    await settle();
    expect(handle.isHeld).to.equal(true);
    moveWallClock(MOVED_MS);
    expect(handle.isHeld).to.equal(false);
  });

  /** The ends by this side of a connection, while it wants to keep its session. */
  const ENDS: Readonly<Record<string, () => unknown>> = {
    'the other side closes its half': () => peer.socket.end(),
    'a message is too long': () => peer.write('x'.repeat(2 * MAX_BYTES)),
    'too much is unsent': () => {
      peer.socket.pause();
      client.lock('x'.repeat(200 * MAX_BYTES)).catch(() => {});
    },
  };

  for (const [when, end] of Object.entries(ENDS)) {
    it(`S2: leaves a connection open until the next is answered, then resets it, when ${when}`, async () => {
      const handle = await take('jobs', 1);
      const before = peer;
      const greeting = await comeBack(end);
      before.socket.resume();
      let isOpen = true;
      void before.closed.then(() => {
        isOpen = false;
      });
      await settle();
      expect(isOpen).to.equal(true);
      answerGreeting(greeting, { state: 'resumed' });
      const { hasEnded, error } = await before.closed;
      expect({ hasEnded, error }).to.have.nested.include({ hasEnded: false, 'error.code': 'ECONNRESET' });
      expect(handle.isHeld).to.equal(true);
    });
  }

  it('S2: leaves a connection open on which an unlock is not answered in time', async () => {
    await open({ requestTimeoutMs: 50 });
    const [handle, kept] = [await take('jobs', 1), await take('kept', 2)];
    const before = peer;
    const greeting = await comeBack(() => handle.release());
    answerGreeting(greeting, { state: 'resumed' });
    expect((await before.closed).hasEnded).to.equal(false);
    expect(kept.isHeld).to.equal(true);
  });

  it('S2: leaves a connection open however many attempts fail', async () => {
    const handle = await take('jobs', 1);
    const before = peer;
    let greeting = await comeBack(() => before.socket.end());
    for (let attempt = 0; attempt < 10; attempt += 1) {
      peer.socket.end();
      peer = await server.accept();
      greeting = await next('hello');
    }
    expect(before.socket.readyState).to.equal('readOnly');
    answerGreeting(greeting, { state: 'resumed' });
    expect((await before.closed).hasEnded).to.equal(false);
    expect(handle.isHeld).to.equal(true);
  });

  it('S2: leaves a connection open on which the greeting is answered by nonsense', async () => {
    await take('jobs', 1);
    await comeBack();
    const before = peer;
    before.write('nonsense\n');
    peer = await server.accept();
    answerGreeting(await next('hello'), { state: 'resumed' });
    expect((await before.closed).hasEnded).to.equal(false);
  });

  it('closes its side at once when the server says that it stops', async () => {
    await take('jobs', 1);
    const before = peer;
    await comeBack(() => before.send({ event: 'goaway' }));
    expect((await before.closed).hasEnded).to.equal(true);
  });

  it('unlocks a lock that is granted after its call was given up while the session went on', async () => {
    const abort = new AbortController();
    const waiting = client.lock('jobs', { signal: abort.signal }).catch((error) => error.name);
    const request = await next('lock');
    const greeting = await comeBack();
    expect(listed(greeting).requests).to.deep.equal([request.id]);
    abort.abort();
    expect(await waiting).to.equal('AbortError');
    await next('cancel');
    await resume(greeting);
    answer(request, { token: 7, count: 1 });
    await settle();
    const pinged = client.rpc('ping');
    expect((await next('unlock')).parameters).to.deep.equal({ token: 7 });
    answer(await next('ping'));
    await pinged;
  });

  it('tells all that it held at once to a server that has restarted', async () => {
    const handles = [await take(LONG_NAMES[0], 1), await take(LONG_NAMES[1], 2)];
    await comeBack().then((greeting) => answerGreeting(greeting, { state: 'reclaim' }));
    const parts = [await next('reclaim'), await next('reclaim')];
    const told = parts.map(({ parameters: { holds, last } }) => [(holds as { token: number }[])[0]?.token, last]);
    expect(told).to.deep.equal([
      [1, false],
      [2, true],
    ]);
    const resumed = emitted(client, 'resume');
    for (const part of parts) answer(part, { lost: [] });
    await resumed;
    expect(handles.every(({ isHeld }) => isHeld)).to.equal(true);
  });

  it('unlocks a lock that is released during a resume only when the session goes on', async () => {
    const [handle] = [await take('jobs', 1), await take('kept', 2)];
    const greeting = await comeBack();
    expect(listed(greeting).holds).to.deep.equal([1, 2]);
    const released = handle.release();
    answerGreeting(greeting, { state: 'resumed' });
    expect((await next('unlock')).parameters).to.deep.equal({ token: 1 });
    expect(await released).to.equal(true);
  });

  it('tells a server that has restarted nothing of a lock that was released before', async () => {
    const [handle] = [await take('jobs', 1), await take('kept', 2)];
    const greeting = await comeBack();
    const released = handle.release();
    answerGreeting(greeting, { state: 'reclaim' });
    const reclaim = await next('reclaim');
    expect(reclaim.parameters).to.deep.include({
      holds: [{ lockName: 'kept', mode: 'exclusive', owner: '#2', token: 2 }],
    });
    answer(reclaim, { lost: [] });
    expect(await released).to.equal(true);
  });

  it('unlocks a lock that is released during a reclaim only when all is told', async () => {
    const [first, second] = [await take(LONG_NAMES[0], 1), await take(LONG_NAMES[1], 2)];
    await comeBack().then((greeting) => answerGreeting(greeting, { state: 'reclaim' }));
    const parts = [await next('reclaim'), await next('reclaim')];
    const released = second.release();
    for (const part of parts) answer(part, { lost: [] });
    expect((await next('unlock')).parameters).to.deep.equal({ token: 2 });
    expect(await released).to.equal(true);
    expect(first.isHeld).to.equal(true);
  });

  it('renews a lease only when the session goes on', async () => {
    const locked = client.lock('jobs', { leaseMs: LEASE_MS });
    answer(await next('lock'), { token: 1, count: 1 });
    const handle = await locked;
    const greeting = await comeBack();
    await timerBehind(RENEWAL_MS);
    answerGreeting(greeting, { state: 'reclaim' });
    answer(await next('reclaim'), { lost: [] });
    const renewal = await next('lock');
    expect(renewal.parameters).to.include({ lockName: 'jobs', lease: LEASE_MS / 1_000 });
    answer(renewal, { token: 1, count: 1, alreadyHeld: true });
    await settle();
    expect(handle.isHeld).to.equal(true);
  });

  it('lists as many requests as the server takes, and makes the others again in their order', async () => {
    await open({}, { limits: { maxPendingRequests: 3 } });
    await wait('a', 'b', 'c', 'd', 'e');
    const greeting = await comeBack();
    expect(listed(greeting).requests).to.have.length(3);
    answerGreeting(greeting, { state: 'resumed' });
    expect((await next('lock')).parameters).to.include({ lockName: 'd' });
    expect((await next('lock')).parameters).to.include({ lockName: 'e' });
  });

  for (const limits of [{ maxMessageValues: 70 }, { maxMessageBytes: 1_300 }] as MessageLimits[]) {
    const [limit] = Object.keys(limits);
    it(`lists no more requests than ${limit} allows in a message`, async () => {
      await open({}, { limits });
      const names = Array.from({ length: 60 }, (_, index) => `lock ${index}`);
      for (const name of names) client.lockAll([name, 'other']).catch(() => {});
      for (const _ of names) await next('lockAll');
      await take('jobs', 1);
      const greeting = await comeBack();
      expect(listed(greeting).requests).to.have.length.above(1);
      expectFits(greeting, limits);
      answerGreeting(greeting, { state: 'resumed' });
      await next('lockAll');
    });

    it(`reclaims by parts that pass no ${limit} of a server that has restarted with another`, async () => {
      const names = Array.from({ length: 30 }, (_, index) => `lock ${index}`);
      for (const [index, name] of names.entries()) await take(name, index + 1);
      const session = { id: 'session', timeout: TIMEOUT, state: 'reclaim' };
      answer(await comeBack(), { protocol: 1, limits, session });
      const told: unknown[] = [];
      for (let isLast = false; !isLast; ) {
        const part = await next('reclaim');
        expectFits(part, limits);
        told.push(...(part.parameters.holds as readonly Message[]).map(({ lockName }) => lockName));
        isLast = part.parameters.last === true;
        answer(part, { lost: [] });
      }
      expect(told).to.deep.equal(names);
    });
  }

  it('gives each attempt as much time as the server allows, though it has asked for less', async () => {
    await open({ session: { timeoutMs: 1 } });
    const handle = await take('jobs', 1);
    const greeting = await comeBack();
    await timerBehind(50);
    await resume(greeting);
    expect(handle.isHeld).to.equal(true);
  });

  it('S5: asks while it may still rely on its locks, and relies on them as long as it is answered', async () => {
    await open({}, { session: opened(2) });
    const handle = await take('jobs', 1);
    for (let time = 0; time < 5; time += 1) {
      const ping = await next('ping');
      expect(handle.isHeld).to.equal(true);
      answer(ping);
    }
  });

  it('S6: confirms by requests sent since, one after the other however often it is asked', async () => {
    const handle = await take('jobs', 1);
    for (let time = 0; time < 3; time += 1) {
      const first = handle.confirm();
      const ping = await next('ping');
      const later = [handle.confirm(), handle.confirm()];
      answer(ping);
      expect(await first).to.equal(true);
      answer(await next('ping'));
      expect(await Promise.all(later)).to.deep.equal([true, true]);
    }
  });

  it('S6: confirms once more for who asked while a ping was on its way that was lost with its connection', async () => {
    const handle = await take('jobs', 1);
    const first = handle.confirm();
    await next('ping');
    const later = handle.confirm();
    await resume(await comeBack());
    expect(await first).to.equal(true);
    answer(await next('ping'));
    expect(await later).to.equal(true);
  });

  it('S6: is not sure of several locks past the deadline either, until they are confirmed', async () => {
    const locked = client.lockAll(['a', 'b']);
    answer(await next('lockAll'), { tokens: [1, 2], counts: [1, 1] });
    const set = await locked;
    moveWallClock(2 * MOVED_MS);
    expect(set.isHeld).to.equal(false);
    expect(() => set.throwIfLost())
      .to.throw(LockLostError)
      .with.property('code', 'unconfirmed');
    const confirmed = set.confirm();
    for (const _ of set.handles) answer(await next('ping'));
    expect(await confirmed).to.equal(true);
    set.throwIfLost();
  });

  it('S7: asks past the deadline and gives its locks up without an answer, also if it is not kept', async () => {
    await open({ session: false }, { session: undefined });
    const handle = await take('jobs', 1);
    const lost = whenLost(handle);
    moveWallClock(2 * MOVED_MS);
    expect(handle.isHeld).to.equal(false);
    await next('ping');
    expect(handle.signal.aborted).to.equal(false);
    expect(await lost).to.include({ code: 'unconfirmed' });
  });

  it('S7: relies on its locks again when the server answers past the deadline, also if it is not kept', async () => {
    await open({ session: false }, { session: undefined });
    const handle = await take('jobs', 1);
    moveWallClock(2 * MOVED_MS);
    answer(await next('ping'));
    await settle();
    expect(handle.isHeld).to.equal(true);
  });
});
