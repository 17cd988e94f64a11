/** The client of the lock server: locks as handles, and the server's answers to who holds what. */

import {
  type ConnectOptions,
  MessageClient,
  type MessageClientOptions,
  type RpcResult,
  type ServerEvent,
} from '../message/message-client.ts';
import { dialTcp } from '../transports/tcp.ts';
import type { DialTlsOptions } from '../transports/tls.ts';
import { dialUnix } from '../transports/unix.ts';
import { LockError, type LockErrorCode, type LockLostCode } from './lock-error.ts';
import { LockHandle } from './lock-handle.ts';
import type { ListOptions, LockInformation, LockPage, ServerStatistics } from './lock-information.ts';

const PROTOCOL = 1;
const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 20_934;
const DEFAULT_WAIT_MS = 30_000;
const DEFAULT_GREETING_TIMEOUT_MS = 10_000;
const MS_A_SECOND = 1_000;
const MAX_TIME_LIMIT_SECONDS = 1e9;

/** Where the server is: `{host, port}`, by default 127.0.0.1 and 20934, or `{path}` of a Unix socket. */
export interface LockClientOptions extends MessageClientOptions, ConnectOptions {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  /** Use TLS, with these certificates. */
  readonly tls?: DialTlsOptions;
  /** The name by which others see this client. */
  readonly name?: string;
}

/** How a lock is asked for. */
export interface LockOptions {
  /** Milliseconds to wait at most; 30,000 by default, `Infinity` for no limit. The server measures them. */
  readonly waitMs?: number;
  /** Ends the wait, on the server too: the call rejects with the signal's reason, and nothing is held. */
  readonly signal?: AbortSignal;
}

/** What tells one hold from another in the parameters of `lock`. */
interface LockParameters {
  readonly lockName?: unknown;
  readonly owner?: unknown;
  readonly mode?: unknown;
}

const REFUSALS: Readonly<Record<string, LockErrorCode>> = {
  timeout: 'timeout',
  unavailable: 'timeout',
  cancelled: 'cancelled',
  invalid: 'invalid',
  limit: 'limit',
  denied: 'denied',
  draining: 'draining',
};

const LOSSES: Readonly<Record<string, LockLostCode>> = { lease: 'leaseOver', forced: 'forced', stolen: 'stolen' };

/**
 * One connection to a lock server. Every lock taken through it is free once the connection is gone, whatever the
 * reason. Two calls of one client exclude each other as those of two clients do.
 */
export class LockClient extends MessageClient {
  readonly #handles = new Map<number, LockHandle>();
  /** Late grants that were left to another call of the same owner which has not had its result. */
  readonly #leftGrants = new Set<number>();
  #lastOwner = 0;

  /**
   * Connects and greets the server. Rejects with the system's error, such as `ECONNREFUSED`, with a `MessageError`, or
   * with a `LockError` of the code `protocol` when the server does not speak this protocol.
   */
  static async connect(options: LockClientOptions = {}): Promise<LockClient> {
    const { host = DEFAULT_HOST, port = DEFAULT_PORT, path, tls, name } = options;
    const client = new LockClient(options);
    await client.connect(path === undefined ? dialTcp({ host, port, tls }) : dialUnix({ path }), options);
    try {
      await client.#greet(name, options.connectTimeoutMs);
    } catch (error) {
      await client.close();
      throw error;
    }
    return client;
  }

  /**
   * Takes a lock, waiting for it if need be. Rejects with a `LockError` (`timeout`, `cancelled`, `invalid`, `limit`,
   * `denied`, `draining`), with a `MessageError` (`closed`, `connectionLost`), or with the signal's reason.
   */
  lock(name: string, options: LockOptions = {}): Promise<LockHandle> {
    const { waitMs = DEFAULT_WAIT_MS, signal } = options;
    return this.#acquire(name, waitMs, signal, (result) => {
      throw refusal(result, `the lock ${JSON.stringify(name)} was not granted`);
    });
  }

  /** Takes a lock if that needs no waiting; resolves to null if it does. Rejects as `lock` does. */
  tryLock(name: string): Promise<LockHandle | null> {
    return this.#acquire(name, 0, undefined, (result) => {
      if (result.status === 'unavailable') return null;
      throw refusal(result, `the lock ${JSON.stringify(name)} was not granted`);
    });
  }

  /** Runs a function while it holds a lock and gives the lock back also when the function throws. Resolves to its value. */
  async locked<Value>(
    name: string,
    run: (handle: LockHandle) => Value | Promise<Value>,
    options: LockOptions = {},
  ): Promise<Value> {
    const handle = await this.lock(name, options);
    try {
      return await run(handle);
    } finally {
      await handle.release();
    }
  }

  /** Who holds a lock and who waits for it. */
  async inspect(name: string): Promise<LockInformation> {
    return (await this.#ask('inspect', { lockName: name })) as unknown as LockInformation;
  }

  /** One page of all that is held or waited for, in name order. */
  async list(options: ListOptions = {}): Promise<LockPage> {
    return (await this.#ask('list', options)) as unknown as LockPage;
  }

  /** What the server counted. */
  async stats(): Promise<ServerStatistics> {
    return (await this.#ask('stats', {})) as unknown as ServerStatistics;
  }

  protected override gaveUp(id: number, command: string): void {
    if (command === 'lock') this.notify('cancel', { id });
  }

  /**
   * A grant that nobody waits for any more goes back at once. It is left alone when the owner had it already, or when
   * another call asks for the same lock under the same owner and so is granted the same hold.
   */
  protected override lateResult(result: RpcResult, command: string, parameters: object): void {
    const token = result.token as number;
    if (command !== 'lock' || result.status !== 'ok') return;
    if (result.alreadyHeld !== undefined && !this.#leftGrants.has(token)) return;
    if (this.isWaitingFor((other, its) => other === 'lock' && isSameHold(its, parameters))) {
      this.#leftGrants.add(token);
      return;
    }
    this.#leftGrants.delete(token);
    this.notify('unlock', { token });
  }

  /** Somebody has the hold that a late grant was left for. */
  protected override timelyResult(result: RpcResult, command: string): void {
    if (command === 'lock' && result.status === 'ok') this.#leftGrants.delete(result.token as number);
  }

  protected override serverEvent(event: ServerEvent): void {
    if (event.event === 'lost' && typeof event.token === 'number') {
      const handle = this.#handles.get(event.token);
      this.#handles.delete(event.token);
      handle?.lose(LOSSES[String(event.reason)] ?? 'forced');
    }
    super.serverEvent(event);
  }

  protected override disconnected(): void {
    const code = this.state === 'closing' ? 'closed' : 'connectionLost';
    const handles = [...this.#handles.values()];
    this.#handles.clear();
    for (const handle of handles) handle.lose(code);
  }

  /** Asks under an owner tag of its own, so that no two calls are one owner. The server answers in its own time. */
  async #acquire<Refused>(
    name: string,
    waitMs: number,
    signal: AbortSignal | undefined,
    refuse: (result: RpcResult) => Refused,
  ): Promise<LockHandle | Refused> {
    this.#lastOwner += 1;
    const owner = String(this.#lastOwner);
    const parameters = { lockName: name, owner, timeLimit: toTimeLimit(waitMs) };
    return await this.call('lock', parameters, { timeoutMs: Number.POSITIVE_INFINITY, signal }, (result) => {
      if (result.status !== 'ok') return refuse(result);
      const handle = new LockHandle(name, result.token as number, owner, (released) => this.#release(released));
      this.#handles.set(handle.token, handle);
      return handle;
    });
  }

  async #release({ name, owner, token }: LockHandle): Promise<boolean> {
    this.#handles.delete(token);
    try {
      const parameters = { lockName: name, owner, token };
      const result = await this.rpc('unlock', parameters, { timeoutMs: Number.POSITIVE_INFINITY });
      return result.status === 'ok';
    } catch {
      // Without a connection there is nothing to give back: the server frees what the client held.
      return false;
    }
  }

  async #greet(name: string | undefined, timeoutMs = DEFAULT_GREETING_TIMEOUT_MS): Promise<void> {
    const parameters = { protocol: PROTOCOL, ...(name === undefined ? {} : { name }) };
    const result = await this.rpc('hello', parameters, { timeoutMs });
    if (result.status === 'ok' && result.protocol === PROTOCOL) return;
    throw refusal(result.status === 'ok' ? { status: 'protocol' } : result, 'the server did not accept the greeting');
  }

  async #ask(command: string, parameters: object): Promise<RpcResult> {
    const result = await this.rpc(command, parameters);
    if (result.status !== 'ok') throw refusal(result, `${command} was refused`);
    return result;
  }
}

/** Whether two lock requests are for one hold: the same lock, under the same owner. */
function isSameHold(a: LockParameters, b: LockParameters): boolean {
  const isPermit = (parameters: LockParameters): boolean => parameters.mode === 'permit';
  return a.lockName === b.lockName && (a.owner ?? '') === (b.owner ?? '') && isPermit(a) === isPermit(b);
}

/** Milliseconds as the wire has them; longer than it knows is no limit. */
function toTimeLimit(waitMs: number): number | false {
  if (!(waitMs >= 0)) throw new RangeError(`waitMs is ${waitMs}; expected a number from 0, or Infinity`);
  const seconds = waitMs / MS_A_SECOND;
  return seconds > MAX_TIME_LIMIT_SECONDS ? false : seconds;
}

function refusal(result: RpcResult, what: string): LockError {
  const detail = typeof result.message === 'string' ? result.message : describe(result);
  return new LockError(REFUSALS[result.status] ?? 'protocol', `${what}: ${detail}`);
}

function describe({ status, limit, value }: RpcResult): string {
  return typeof limit === 'string' ? `${status} (${limit}, ${String(value)})` : status;
}
