/** Keeps one connection to the server: opens it when it is first needed, and again after it was lost. */

import { whenAborted } from '../message/abort-listeners.ts';
import { MessageError } from '../message/message-error.ts';
import { startTimeout } from '../message/timeout.ts';

/** How long to wait before the connection is opened again: at least 10 ms, whatever these say. */
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
  /** Whether no further attempt can succeed after this failure. */
  isPermanent(error: Error): boolean;
  /** An attempt has failed, and another one follows or no call reported the error. */
  readonly failed: (error: Error) => void;
  readonly connected: (connection: Connection) => void;
  /** The keeper was closed just when this one was opened. */
  readonly discard: (connection: Connection) => void;
}

/** How a call waits for a connection. */
export interface ConnectionPatience {
  /** Milliseconds to wait at most. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Whether to wait for further attempts when one fails. */
  readonly whenFailed: 'wait' | 'fail';
  /** Calls with smaller numbers get the connection first; 0 if there is none. */
  readonly order?: number | undefined;
}

/** One call that waits for a connection. */
interface Waiting<Connection> {
  readonly whenFailed: 'wait' | 'fail';
  readonly order: number;
  readonly resolve: (connection: Connection) => void;
  readonly reject: (error: unknown) => void;
}

const DEFAULT_MIN_DELAY_MS = 100;
const DEFAULT_MAX_DELAY_MS = 10_000;
/** A server that is down must not be asked a thousand times a second. */
const LEAST_DELAY_MS = 10;
/** A connection that lasted at least this long was a good one: the delays begin anew. */
const STABLE_MS = 1_000;

/** Delays its attempts with full jitter: by any time up to a bound that doubles, so that many clients do not come at once. */
export class ConnectionKeeper<Connection> {
  readonly #options: KeeperOptions<Connection>;
  readonly #waiting = new Set<Waiting<Connection>>();
  /** The connection, if there is one. Only the keeper sets it. */
  current: Connection | undefined;
  #state: KeeperState = 'idle';
  #connectedMs = 0;
  /** Attempts that failed since the last good connection. */
  #failures = 0;
  #wasConnected = false;
  #lastError: Error | undefined;
  /** The pause before the next attempt, and when it ends. */
  #delay: { readonly endMs: number; readonly stop: () => void } | undefined;
  #isReferenced = true;

  constructor(options: KeeperOptions<Connection>) {
    this.#options = options;
  }

  get state(): KeeperState {
    return this.#state;
  }

  /** Whether waiting for the next attempt keeps the process alive. */
  setReferenced(isReferenced: boolean): void {
    this.#isReferenced = isReferenced;
    if (this.#delay === undefined) return;
    this.#delay.stop();
    this.#attemptAt(this.#delay.endMs);
  }

  /**
   * The connection, by one attempt at most: the one under way, or the next if that ends within `timeoutMs`. Rejects with its
   * error.
   */
  async connect(timeoutMs: number): Promise<Connection> {
    // An attempt has a limit of its own; the delay before it has none.
    const limitMs = this.#state === 'reconnecting' ? timeoutMs : Number.POSITIVE_INFINITY;
    return await this.#obtain({ timeoutMs: limitMs, whenFailed: 'fail' }, (connection) => connection);
  }

  /**
   * Uses the connection as soon as there is one, before anything else happens, so that calls go out in their order. Rejects
   * with a `MessageError`: `closed`; `timeout` when there was no connection within `timeoutMs`; or with the signal's reason;
   * or with the error of an attempt after which no other can succeed. With `whenFailed: 'fail'` it rejects with the error of
   * the first attempt, or `connectionLost` when one has failed before.
   */
  async get<Used>(patience: ConnectionPatience, use: (connection: Connection) => Used): Promise<Used> {
    if (this.#state === 'reconnecting' && patience.whenFailed === 'fail') {
      const cause = this.#lastError;
      throw new MessageError('connectionLost', `not connected: ${describe(cause)}`, { cause });
    }
    return await this.#obtain(patience, use);
  }

  /** The connection is gone. */
  lost(connection: Connection, error: Error | undefined): void {
    if (this.current !== connection) return;
    this.current = undefined;
    if (performance.now() - this.#connectedMs >= STABLE_MS) this.#failures = 0;
    this.#lastError = error ?? new Error('the server closed the connection');
    if (this.#options.reconnect === false) this.close(this.#lastError);
    else this.#scheduleNext();
  }

  /** Opens no further connection; calls that wait for one reject with `closed`. */
  close(error?: Error): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.current = undefined;
    this.#lastError = error;
    this.#delay?.stop();
    this.#delay = undefined;
    for (const { reject } of [...this.#waiting]) reject(closedError(error));
  }

  #obtain<Used>(
    { timeoutMs, signal, whenFailed, order = 0 }: ConnectionPatience,
    use: (connection: Connection) => Used,
  ): Promise<Used> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.current !== undefined) return resolve(use(this.current));
      if (this.#state === 'closed') throw closedError(this.#lastError);
      const stop = (): void => {
        this.#waiting.delete(waiting);
        stopTimeout();
        stopListening();
      };
      const waiting: Waiting<Connection> = {
        whenFailed,
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
        waiting.reject(new MessageError('timeout', text, { cause: this.#lastError }));
      });
      const stopListening = whenAborted(signal, () => waiting.reject(signal?.reason));
      this.#waiting.add(waiting);
      if (this.#state === 'idle') this.#attempt();
    });
  }

  #attempt(): void {
    this.#delay = undefined;
    if (this.#state === 'idle') this.#state = 'connecting';
    this.#options.open().then(
      (connection) => this.#succeed(connection),
      (error: Error) => this.#fail(error),
    );
  }

  #succeed(connection: Connection): void {
    if (this.#state === 'closed') {
      this.#options.discard(connection);
      return;
    }
    this.#state = 'connected';
    this.#wasConnected = true;
    this.current = connection;
    this.#connectedMs = performance.now();
    // Calls that waited go out first, before those that listeners make when they hear of the connection.
    const inOrder = [...this.#waiting].sort((a, b) => a.order - b.order);
    for (const { resolve } of inOrder) resolve(connection);
    this.#options.connected(connection);
  }

  #fail(error: Error): void {
    if (this.#state === 'closed') return;
    this.#lastError = error;
    const isLast = this.#options.reconnect === false || this.#options.isPermanent(error);
    const told = [...this.#waiting].filter(({ whenFailed }) => isLast || whenFailed === 'fail');
    for (const { reject } of told) reject(error);
    // If no call rejects with it, an event reports it.
    if (told.length === 0 || this.#goesOn) this.#options.failed(error);
    this.#scheduleNext();
  }

  /** A client that was never connected stops trying when no call waits any more. */
  get #goesOn(): boolean {
    return this.#wasConnected || this.#waiting.size > 0;
  }

  #scheduleNext(): void {
    if (!this.#goesOn) {
      this.#state = 'idle';
      return;
    }
    this.#state = 'reconnecting';
    const { minDelayMs = DEFAULT_MIN_DELAY_MS, maxDelayMs = DEFAULT_MAX_DELAY_MS } = this.#options.reconnect || {};
    const bound = Math.min(maxDelayMs, Math.max(minDelayMs, LEAST_DELAY_MS) * 2 ** this.#failures);
    this.#failures += 1;
    this.#attemptAt(performance.now() + Math.max(LEAST_DELAY_MS, Math.random() * bound));
  }

  #attemptAt(endMs: number): void {
    const importance = this.#isReferenced ? 'foreground' : 'background';
    const stop = startTimeout(Math.max(0, endMs - performance.now()), () => this.#attempt(), importance);
    this.#delay = { endMs, stop };
  }
}

function closedError(cause: Error | undefined): MessageError {
  return new MessageError('closed', 'the client is closed', { cause });
}

function describe(error: Error | undefined): string {
  return error?.message ?? 'the server has not answered yet';
}
