import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import type { Message, RawClient } from '../server/raw-client.ts';
import { RawServer } from '../support/raw-server.ts';
import { emitted, lazyClient } from './client-scene.ts';

const KEY = { id: 'session', secret: 'secret' };
const TIMEOUT = 20;
/** More than half of what a client trusts its session without an answer, and less than all of it. */
const MOVED_MS = 12_000;
/** Two of them are too much for one message. */
const LONG_NAMES = ['a', 'b'].map((letter) => letter.repeat(150_000)) as [string, string];

/** A request of the client. */
interface Asked extends Message {
  readonly command: string;
  readonly parameters: Message;
}

/** Moves the wall clock; the monotonic one stands still meanwhile, as on Linux while the machine sleeps. */
function moveWallClock(byMs: number): void {
  const { now } = Date;
  Date.now = () => now() + byMs;
  whenTestEnds(() => {
    Date.now = now;
  });
}

/** The test answers in the place of the server. */
describe('a client that goes on with its session', () => {
  let server: RawServer;
  let client: LockClient;
  let peer: RawClient;

  beforeEach(async () => {
    server = await RawServer.listen();
    whenTestEnds(() => server.close());
    client = lazyClient({ port: server.port, reconnect: { minDelayMs: 1, maxDelayMs: 20 } });
    const connected = client.connect();
    peer = await server.accept();
    answer(await next('hello'), { protocol: 1, session: { ...KEY, state: 'opened', timeout: TIMEOUT } });
    await connected;
  });
  afterEach(endTest);

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

  /** Resets the connection; returns the greeting on the next one. */
  async function comeBack(): Promise<Asked> {
    const suspended = emitted(client, 'suspend');
    peer.reset();
    await suspended;
    peer = await server.accept();
    return await next('hello');
  }

  function answerGreeting(greeting: Asked, session: object): void {
    answer(greeting, { protocol: 1, session: { id: KEY.id, timeout: TIMEOUT, ...session } });
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
});
