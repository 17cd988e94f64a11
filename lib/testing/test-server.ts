/** A lock server for the tests of programs that use locks. It runs in the same process, and the test controls it. */

import { connect } from 'node:net';
import { LockClient, type LockClientOptions } from '../client/lock-client.ts';
import { requireKnownOptions } from '../message/known-options.ts';
import { mapResult } from '../message/pending-result.ts';
import type { LockPage } from '../protocol.ts';
import { systemClock } from '../server/clock.ts';
import { LocalLockManager } from '../server/local-lock-manager.ts';
import { DEFAULT_LOCK_SERVER_LIMITS, type LockServerLimits, withResumes } from '../server/lock-server-limits.ts';
import type { LockServerOptions } from '../server/lock-server-options.ts';
import { CuttableStream } from '../transports/cuttable-stream.ts';
import { dialSocket } from '../transports/dial-socket.ts';
import { memory } from '../transports/memory.ts';
import { tcp } from '../transports/tcp.ts';
import { leftoverLocksError } from './leftover-locks.ts';
import { nextTurn, untilQuiet } from './quiet.ts';
import { ManualClock, type TestClock, UNMOVABLE_CLOCK } from './test-clock.ts';
import { WatchedLockServer } from './watched-lock-server.ts';

const HOST = '127.0.0.1';
/** How many leftover locks an error lists. */
const MAX_TOLD_NAMES = 20;

/** The options of a test server. It also takes all options of `LockServer` but `manager`, `ledger` and `cluster`. */
export interface TestServerOptions extends Omit<LockServerOptions, 'manager' | 'ledger' | 'cluster'> {
  /** Listens on a free port of 127.0.0.1, for programs that need a port. By default there is no socket. */
  readonly socket?: boolean | undefined;
  /** `manual`: the server's time moves only by `clock.advance`. `system` by default. */
  readonly clock?: 'manual' | 'system' | undefined;
}

const TEST_SERVER_OPTIONS = ['socket', 'clock', 'limits', 'logger', 'dump', 'registry', 'forceUnlock'];

/** The options of a test server's client: those of `LockClient`, except where to connect. */
export type TestClientOptions = Omit<LockClientOptions, 'host' | 'port' | 'path' | 'url' | 'servers' | 'tls' | 'dial'>;

/** The current connection of a client. */
interface Line {
  current: CuttableStream | undefined;
}

type Dial = (signal: AbortSignal) => Promise<CuttableStream>;

/** Starts a lock server in this process. Resolves when it is ready. Rejects with a `TypeError` for a wrong option. */
export function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  return TestServer.start(options);
}

/** A lock server that a test controls. Close it when the test ends, or let `await using` close it. */
export class TestServer implements AsyncDisposable {
  /** The server's time. */
  readonly clock: TestClock;
  readonly #manager: LocalLockManager;
  readonly #server: WatchedLockServer;
  readonly #transport: 'memory' | 'socket';
  readonly #memory: ReturnType<typeof memory> = memory();
  readonly #lines = new Map<LockClient, Line>();
  #address = '';
  #state: 'open' | 'closed' = 'open';

  private constructor(options: TestServerOptions) {
    const { socket = false, clock = 'system', ...serverOptions } = requireKnownOptions(options, TEST_SERVER_OPTIONS);
    requireOneOf('socket', socket, [true, false]);
    requireOneOf('clock', clock, ['manual', 'system']);
    const limits: LockServerLimits = { ...DEFAULT_LOCK_SERVER_LIMITS, ...serverOptions.limits };
    const manualClock = clock === 'manual' ? new ManualClock(() => this.settled()) : undefined;
    this.clock = manualClock ?? UNMOVABLE_CLOCK;
    this.#manager = new LocalLockManager({ limits: withResumes(limits), clock: manualClock ?? systemClock });
    this.#server = new WatchedLockServer({ ...serverOptions, limits, manager: this.#manager });
    this.#transport = socket ? 'socket' : 'memory';
  }

  /** The same as `startTestServer`. */
  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(options);
    await server.#listen();
    return server;
  }

  /** Where the server listens, such as `127.0.0.1:50123`. @throws Error when it has no socket. */
  get address(): string {
    if (this.#transport === 'socket') return this.#address;
    throw new Error('the server has no socket; start it with { socket: true }, or connect by its client()');
  }

  /** The port where the server listens on 127.0.0.1. @throws Error when it has no socket. */
  get port(): number {
    return Number(this.address.split(':').at(-1));
  }

  /**
   * Makes a client and connects it; it loses its locks with its connection unless `session` is given. Closing the server closes the
   * client too. Rejects as `LockClient.connect` does.
   */
  async client(options: TestClientOptions = {}): Promise<LockClient> {
    const line: Line = { current: undefined };
    const dial: Dial = async (signal) => {
      const stream = await this.#dial(signal);
      line.current = stream;
      return stream;
    };
    const client = await LockClient.connect({ session: false, ...options, dial });
    if (this.#state === 'closed') {
      await client.close();
      throw new Error('the server was closed');
    }
    this.#lines.set(client, line);
    client.once('close', () => this.#lines.delete(client));
    return client;
  }

  /**
   * Takes a lock from all its holders, both of the reader/writer lock and of the permit of that name. Their handles'
   * signals abort with a `LockLostError` of the code `forced`, and the waiters are let in. Resolves to the number of
   * holders, once they know. Rejects with an `Error` when nobody held it.
   */
  async loseLock(name: string): Promise<number> {
    await this.settled();
    let released = 0;
    for (const kind of ['readerWriter', 'permit'] as const) {
      mapResult(this.#manager.forceRelease(name, kind), (result) => {
        released += result.released;
        return result;
      });
    }
    await this.settled();
    if (released === 0) throw new Error(`nobody holds the lock ${JSON.stringify(name)}`);
    await this.settled();
    return released;
  }

  /**
   * Cuts the connection of a client made by `client()`, as a network failure would. Resolves when both sides have
   * noticed: the client has lost its locks, and the server has freed them; both keep them if the client has a session. The client reconnects unless its options
   * forbid it. Rejects with an `Error` when the client has no connection.
   */
  async cutConnection(client: LockClient): Promise<void> {
    const line = this.#lines.get(client);
    if (line === undefined) throw new Error('the client is closed, or was not made by client() of this server');
    if (client.state !== 'connected' || line.current === undefined) {
      throw new Error(`the client is ${client.state}; expected connected`);
    }
    const { localAddress } = line.current;
    const clientNoticed = new Promise<void>((resolve) => client.once('disconnect', () => resolve()));
    line.current.cut();
    await Promise.all([clientNoticed, this.#server.untilEnded(localAddress)]);
    await this.settled();
  }

  /**
   * Resolves when no lock is held or waited for, once all that is on its way has arrived. Otherwise rejects with an
   * `AssertionError` that lists the holders and the waiters.
   */
  async assertNoLocks(): Promise<void> {
    await this.settled();
    const { locks, next } = await this.#listLocks();
    if (locks.length > 0) throw leftoverLocksError(locks, next === undefined ? 'all' : 'first');
  }

  /**
   * Resolves when nothing is in transit between the server and the clients made by `client()`, and everything that
   * arrived has been handled: each request for a lock has been granted or waits. Does not wait for anything else in the
   * program, such as a timer or a file.
   */
  async settled(): Promise<void> {
    // Messages that wait within the server are no activity of the transport.
    const look = (): string => `${this.#memory.activity} ${this.#countEverything()}`;
    if (this.#transport === 'memory') await untilQuiet(look, nextTurn);
    else await untilQuiet(() => this.#countEverything(), this.#exchange);
  }

  /** Closes all its clients and the server. Resolves when their connections are gone. */
  async close(): Promise<void> {
    this.#state = 'closed';
    await Promise.all([...this.#lines.keys()].map((client) => client.close()));
    await this.#server.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #listen(): Promise<void> {
    const listener = this.#transport === 'memory' ? this.#memory : tcp({ host: HOST, port: 0, allowed: [HOST] });
    this.#address = await this.#server.listen(listener);
  }

  readonly #dial: Dial = async (signal) => {
    if (this.#transport === 'memory') {
      const connection = await this.#memory.dial(signal);
      return new CuttableStream(connection, connection.localAddress);
    }
    const socket = connect({ host: HOST, port: this.port, allowHalfOpen: true, noDelay: true });
    const stream = await dialSocket(() => socket, 'connect', this.#address, signal);
    return new CuttableStream(stream, `${HOST}:${socket.localPort}`);
  };

  #listLocks(): Promise<LockPage> {
    return new Promise((resolve) => {
      this.#manager.list({ prefix: '' }).nextPage(MAX_TOLD_NAMES).whenSettled(resolve);
    });
  }

  /**
   * With sockets the system holds the data in transit, so each client sends a ping. Its answer comes after everything
   * sent before.
   */
  readonly #exchange = async (): Promise<void> => {
    await nextTurn();
    const clients = [...this.#lines.keys()].filter(({ state }) => state === 'connected');
    const asked = clients.map((client) => client.rpc('ping', {}, { timeoutMs: Number.POSITIVE_INFINITY }));
    await Promise.allSettled(asked);
    await nextTurn();
  };

  #countEverything(): string {
    const { requestCounts, counters } = this.#server;
    return JSON.stringify([{ ...requestCounts, ping: 0 }, counters, this.#manager.table.counts]);
  }
}

function requireOneOf(name: string, value: unknown, expected: readonly unknown[]): void {
  if (expected.includes(value)) return;
  const list = expected.map((one) => JSON.stringify(one)).join(' or ');
  throw new TypeError(`${name} is ${JSON.stringify(value)}; expected ${list}`);
}
