/** Keeps one connection to the server: opens it when it is first needed, and again after it was lost. */

import { MessageError } from '../message/message-error.ts';
import { startTimeout } from '../message/timeout.ts';

/** How long to wait before the connection is opened again. */
export interface ReconnectOptions {
  /** The longest first delay, in milliseconds; each further one may be twice as long. 100 by default. */
  readonly minDelayMs?: number | undefined;
  /** The longest delay of all, in milliseconds. 10,000 by default. */
  readonly maxDelayMs?: number | undefined;
}

/**
 * `idle`: not connected, and not asked for. `connecting`: the first attempt. `reconnecting`: there was a connection, or
 * an attempt failed, and another follows. `closed`: for good.
 */
export type KeeperState = 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'closed';

/** How the keeper works. */
export interface KeeperOptions<Connection> {
  readonly open: () => Promise<Connection>;
  readonly reconnect: ReconnectOptions | false;
  /** An attempt has failed and another one follows. */
  readonly failed: (error: Error) => void;
  readonly connected: (connection: Connection) => void;
}

/** How a call waits for the connection. */
export interface Waiting {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Whether it waits for a second attempt after the first has failed. */
  readonly patience: 'wait' | 'fail';
  /** Calls with smaller numbers go out first. */
  readonly order: number;
}

/** One who waits for the connection. */
interface Waiter<Connection> {
  readonly order: number;
  readonly resolve: (connection: Connection) => void;
  readonly reject: (error: unknown) => void;
}

const DEFAULT_MIN_DELAY_MS = 100;
const DEFAULT_MAX_DELAY_MS = 10_000;
/** A connection that lasted at least this long was a good one: the delays begin anew. */
const STABLE_MS = 1_000;

/** Full jitter: any delay up to a bound that doubles, so that many clients do not come back at once. */
export class ConnectionKeeper<Connection> {
  readonly #options: KeeperOptions<Connection>;
  readonly #waiting = new Set<Waiter<Connection>>();
  #state: KeeperState = 'idle';
  #current: Connection | undefined;
  #connectedMs = 0;
  /** Attempts that failed since the last good connection. */
  #failures = 0;
  #wasConnected = false;
  #lastError: Error | undefined;
  #stopDelay: () => void = () => {};
  #isReferenced = true;

  constructor(options: KeeperOptions<Connection>) {
    this.#options = options;
  }

  get state(): KeeperState {
    return this.#state;
  }

  /** The connection, if there is one. */
  get current(): Connection | undefined {
    return this.#current;
  }

  /** Whether waiting for the next attempt keeps the process alive. */
  setReferenced(isReferenced: boolean): void {
    this.#isReferenced = isReferenced;
  }

  /** Makes one attempt, unless one is under way. Rejects with the reason for which it failed. */
  async connect(): Promise<Connection> {
    if (this.#current !== undefined) return this.#current;
    if (this.#state === 'closed') throw closedError(this.#lastError);
    if (this.#state === 'idle') this.#attempt('once');
    return await this.#wait({ timeoutMs: Number.POSITIVE_INFINITY, order: 0 }, (connection) => connection);
  }

  /**
   * Uses the connection as soon as there is one, in the very turn in which there is, so that calls go out in their order.
   * Rejects with a `MessageError`: `closed`; `timeout` when there was none within `timeoutMs`; or with the signal's
   * reason. Who will not wait for a second attempt is told `connectionLost` when one has failed before, or what the first
   * one fails with.
   */
  async get<Used>(waiting: Waiting, use: (connection: Connection) => Used): Promise<Used> {
    const { signal, patience } = waiting;
    signal?.throwIfAborted();
    if (this.#current !== undefined) return use(this.#current);
    if (this.#state === 'closed') throw closedError(this.#lastError);
    if (this.#state === 'reconnecting' && patience === 'fail') {
      const cause = this.#lastError;
      throw new MessageError('connectionLost', `not connected: ${describe(cause)}`, { cause });
    }
    if (this.#state === 'idle') this.#attempt(patience === 'wait' ? 'again' : 'once');
    return await this.#wait(waiting, use);
  }

  /** The connection is gone. */
  lost(connection: Connection, error: Error | undefined): void {
    if (this.#current !== connection) return;
    this.#current = undefined;
    if (performance.now() - this.#connectedMs >= STABLE_MS) this.#failures = 0;
    this.#lastError = error ?? new Error('the server closed the connection');
    if (this.#options.reconnect === false) this.close(this.#lastError);
    else this.#scheduleNext();
  }

  /** No further connection is opened; who waits for one is told `closed`. */
  close(error?: Error): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#current = undefined;
    this.#lastError = error;
    this.#stopDelay();
    this.#rejectAll(closedError(error));
  }

  #wait<Used>(
    { timeoutMs, signal, order }: Omit<Waiting, 'patience'>,
    use: (connection: Connection) => Used,
  ): Promise<Used> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#waiting.delete(waiter);
        stopTimeout();
        signal?.removeEventListener('abort', abort);
      };
      const abort = (): void => waiter.reject(signal?.reason);
      const waiter: Waiter<Connection> = {
        order,
        resolve: (connection) => {
          stop();
          resolve(use(connection));
        },
        reject: (error) => {
          stop();
          reject(error);
        },
      };
      const stopTimeout = startTimeout(timeoutMs, () => {
        const text = `no connection within ${Math.round(timeoutMs)} ms: ${describe(this.#lastError)}`;
        waiter.reject(new MessageError('timeout', text, { cause: this.#lastError }));
      });
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.add(waiter);
    });
  }

  /** `once`: a failure is for those who wait, and ends it. */
  #attempt(persistence: 'once' | 'again'): void {
    if (this.#state === 'idle') this.#state = 'connecting';
    this.#options.open().then(
      (connection) => this.#succeed(connection),
      (error: Error) => this.#fail(error, persistence),
    );
  }

  #succeed(connection: Connection): void {
    if (this.#state === 'closed') return;
    this.#state = 'connected';
    this.#wasConnected = true;
    this.#current = connection;
    this.#connectedMs = performance.now();
    // What was asked for before goes out first, also before what those who are told of the connection ask for.
    for (const { resolve } of [...this.#waiting].sort((a, b) => a.order - b.order)) resolve(connection);
    this.#options.connected(connection);
  }

  #fail(error: Error, persistence: 'once' | 'again'): void {
    if (this.#state === 'closed') return;
    this.#lastError = error;
    if (persistence === 'once' || this.#options.reconnect === false) {
      this.#state = 'idle';
      this.#rejectAll(error);
    } else {
      this.#options.failed(error);
      this.#scheduleNext();
    }
  }

  #scheduleNext(): void {
    // Who never was connected, and for whom nobody waits any more, need not try on.
    if (!this.#wasConnected && this.#waiting.size === 0) {
      this.#state = 'idle';
      return;
    }
    this.#state = 'reconnecting';
    const { minDelayMs = DEFAULT_MIN_DELAY_MS, maxDelayMs = DEFAULT_MAX_DELAY_MS } = this.#options.reconnect || {};
    const bound = Math.min(maxDelayMs, minDelayMs * 2 ** this.#failures);
    this.#failures += 1;
    const importance = this.#isReferenced ? 'foreground' : 'background';
    this.#stopDelay = startTimeout(Math.random() * bound, () => this.#attempt('again'), importance);
  }

  #rejectAll(error: unknown): void {
    for (const { reject } of [...this.#waiting]) reject(error);
  }
}

function closedError(cause: Error | undefined): MessageError {
  return new MessageError('closed', 'the client is closed', { cause });
}

function describe(error: Error | undefined): string {
  return error?.message ?? 'the server has not answered yet';
}
