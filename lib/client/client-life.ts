/** A client's life over many connections: keeps one open, asks on it and, when it is lost, on the next. */

import { whenAborted } from '../message/abort-listeners.ts';
import type { Dialer } from '../message/byte-stream.ts';
import { type Gate, makeGate } from '../message/gate.ts';
import type { MessageClientOptions, RpcOptions, RpcResult, ServerEvent } from '../message/message-client.ts';
import { MessageError } from '../message/message-error.ts';
import { startTimeout } from '../message/timeout.ts';
import { requireFromZero, requireOneOf, requireOptions, requireSignal, requireText } from './client-options.ts';
import { failedToConnect, noConnection } from './connection-failure.ts';
import { ConnectionKeeper, type ConnectionPatience, type ReconnectOptions } from './connection-keeper.ts';
import { type Hold, holdsOf, type Outside } from './hold.ts';
import { LockConnection } from './lock-connection.ts';
import { LockClosedError, LockDrainingError, LockTimeoutError } from './lock-error.ts';
import { type Patience, remainingMs } from './lock-options.ts';
import type { HoldParameters } from './unanswered-requests.ts';

const RPC_OPTIONS: readonly string[] = ['timeoutMs', 'signal'];

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
/** A server that is about to stop is asked again after a delay of up to this, on the next connection if there is one. */
const MAX_DRAINING_PAUSE_MS = 1_000;

/** How a client lives. */
export interface LifeOptions extends MessageClientOptions {
  /** The name by which others see this client. */
  readonly name?: string | undefined;
  /** Milliseconds until one attempt to connect is given up, handshakes and greeting included; 10,000 by default, `Infinity` for no limit. */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Milliseconds until a call is given up that has no connection or no answer, giving back and closing included; 30,000 by
   * default. What a call waits for its lock comes on top of that.
   */
  readonly requestTimeoutMs?: number | undefined;
  /** The delays before a lost connection is opened again; `false` closes the client instead. */
  readonly reconnect?: ReconnectOptions | false | undefined;
  /** What new calls do while the connection is lost: `wait` for the next one, which is the default, or `fail` at once. */
  readonly whileDisconnected?: 'wait' | 'fail' | undefined;
}

/**
 * `idle`: made, and not used yet. `connecting`: the first connection is being opened. `connected`. `reconnecting`: it was
 * lost, or could not be opened, and is being opened again. `closing`: no new calls. `closed`: for good.
 */
export type ClientState = 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'closing' | 'closed';

/** Who is told of it. */
export interface LifeEvents {
  connected(): void;
  /** The connection was lost, and with it everything that was held. */
  disconnected(error: Error | undefined): void;
  /** An attempt to connect failed, or the server sent what could not be understood. */
  failed(error: Error): void;
  event(event: ServerEvent): void;
  closed(): void;
  /** Runs what calls listeners. */
  readonly outside: Outside;
  /** By which others see a client that was given no name. */
  readonly defaultName: string | undefined;
}

/** A call that was sent: wrapped, so that one can wait for the sending without waiting for the answer. */
interface Asked<Granted> {
  readonly asked: Promise<Granted | null>;
}

/** From the first connection to the end of the last. */
export class ClientLife {
  readonly #dial: Dialer;
  readonly #options: LifeOptions;
  readonly #events: LifeEvents;
  readonly #keeper: ConnectionKeeper<LockConnection>;
  readonly #closing = new AbortController();
  readonly #connectTimeoutMs: number;
  readonly #requestTimeoutMs: number;
  readonly #whileDisconnected: 'wait' | 'fail';
  /** By which others see the client, from the next connection on. */
  name: string | undefined;
  /** The connection that is being opened. */
  #opening: LockConnection | undefined;
  #isReferenced = true;
  #phase: 'living' | 'closing' | 'closed' = 'living';
  /** Resolves when the client is closed. */
  readonly #gone: Gate = makeGate();
  #callCount = 0;
  /** What ends the pauses of those who were told that the server stops. */
  readonly #pauses = new Set<() => void>();

  /** @throws LockInvalidError when a number or a choice among the options makes no sense. */
  constructor(dial: Dialer, options: LifeOptions, events: LifeEvents) {
    const {
      connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS,
      requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS,
      reconnect = {},
      whileDisconnected = 'wait',
    } = options;
    const { minDelayMs, maxDelayMs } = requireOptions(reconnect || {}, ['minDelayMs', 'maxDelayMs'], 'reconnect');
    if (options.name !== undefined) requireText('name', options.name);
    requireFromZero({
      connectTimeoutMs,
      requestTimeoutMs,
      maxMessageBytes: options.maxMessageBytes,
      maxPendingRequests: options.maxPendingRequests,
      maxUnsentBytes: options.maxUnsentBytes,
      'reconnect.minDelayMs': minDelayMs,
      'reconnect.maxDelayMs': maxDelayMs,
    });
    requireOneOf('whileDisconnected', whileDisconnected, ['wait', 'fail']);
    this.#dial = dial;
    this.#options = options;
    this.#events = events;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#whileDisconnected = whileDisconnected;
    this.name = options.name;
    this.#keeper = new ConnectionKeeper<LockConnection>({
      open: () => this.#open(),
      reconnect,
      connected: (connection) => {
        connection.setReferenced(this.#isReferenced);
        events.connected();
      },
      failed: (error) => events.failed(error),
      discard: (connection) => void connection.abandon(),
    });
  }

  get state(): ClientState {
    return this.#phase === 'living' ? this.#keeper.state : this.#phase;
  }

  /** Aborts, with the error for those who wait, when the client is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Makes a first attempt to connect; rejects with what it failed with, or `unreachable` when its time was over. */
  async connect(): Promise<void> {
    try {
      await this.#keeper.connect(this.#connectTimeoutMs);
    } catch (error) {
      throw failedToConnect(error);
    }
  }

  /** Sends a command, once there is a connection. */
  async rpc(command: string, parameters: object, options: RpcOptions = {}): Promise<RpcResult> {
    const { timeoutMs = this.#requestTimeoutMs, signal } = requireOptions(options, RPC_OPTIONS);
    requireFromZero({ timeoutMs });
    requireSignal('signal', signal);
    const patience = { timeoutMs, signal, whenFailed: this.#whileDisconnected, order: this.#nextCall() };
    const { asked } = await this.#keeper
      .get(patience, (connection) => ({ asked: connection.rpc(command, parameters, { ...options, timeoutMs }) }))
      .catch((error) => {
        if (isClosed(error) || isReasonOf(signal, error)) throw error;
        throw noConnection(error);
      });
    return await asked;
  }

  /** Asks for holds on one connection after the other, until there is an answer: a wait outlives its connection. */
  async ask<Granted extends Hold | readonly Hold[]>(
    patience: Patience,
    ask: (connection: LockConnection) => Promise<Granted | null>,
  ): Promise<Granted | null> {
    // After a loss those who have waited for longer ask again first.
    const order = this.#nextCall();
    for (let whenFailed = this.#whileDisconnected; ; whenFailed = 'wait') {
      this.#throwIfClosing();
      const { current } = this.#keeper;
      const asked =
        current === undefined
          ? (await this.#askNext(patience, { signal: patience.signal, whenFailed, order }, ask)).asked
          : ask(current);
      try {
        const granted = await asked;
        // What was lost before anybody had it is asked for again.
        if (granted === null || holdsOf(granted).every(isToBeHandedOut)) return this.#handOut(granted, patience);
        for (const hold of holdsOf(granted)) void hold.giveBack();
        throwIfLeaseOver(holdsOf(granted), patience);
      } catch (error) {
        this.#throwUnlessPassing(error, patience);
        if (error instanceof LockDrainingError) await this.#pause(patience);
      }
    }
  }

  /** Calls back once no request that may still bring that hold, and that nobody awaits, is on its way. */
  whenAnswered(hold: HoldParameters, listener: () => void): void {
    const connection = this.#keeper.current;
    if (connection === undefined) listener();
    else connection.whenAnswered(hold, listener);
  }

  setReferenced(isReferenced: boolean): void {
    this.#isReferenced = isReferenced;
    this.#keeper.setReferenced(isReferenced);
    this.#keeper.current?.setReferenced(isReferenced);
  }

  /** Ends all waits, waits up to `drainMs` milliseconds for what is held to be released, then closes the connection. */
  async close(options: { readonly drainMs?: number }): Promise<void> {
    const { drainMs = 0 } = requireOptions(options, ['drainMs']);
    requireFromZero({ drainMs });
    // Set before anybody is told, who might close once more.
    if (this.#phase === 'living') {
      this.#phase = 'closing';
      void this.#close(drainMs).then(this.#gone.resolve);
    }
    await this.#gone.promise;
  }

  /** A call that was given up meanwhile has no use for its lock. */
  #handOut<Granted extends Hold | readonly Hold[]>(granted: Granted | null, { signal }: Patience): Granted | null {
    if (granted === null || (this.#phase === 'living' && signal?.aborted !== true)) return granted;
    for (const hold of holdsOf(granted)) void hold.giveBack();
    signal?.throwIfAborted();
    throw new LockClosedError();
  }

  /** Returns when the call is to be made again, on the next connection. */
  #throwUnlessPassing(error: unknown, patience: Patience): void {
    if (isReasonOf(patience.signal, error)) throw error;
    const canGoOn = this.#options.reconnect !== false;
    // A server that stops is followed by another, as after a crash.
    if (error instanceof LockDrainingError && canGoOn && remainingMs(patience) > 0) return;
    if (!(error instanceof MessageError)) throw error;
    if (error.code === 'closed') this.#throwIfClosing(error);
    const isLost = error.code === 'closed' || error.code === 'connectionLost';
    if (isLost && canGoOn) return;
    throw error.code === 'timeout' ? noConnection(error) : error;
  }

  /**
   * Gives a server that stops the time to do so. Ends early with the wait, the signal or the client, and with the connection:
   * then all who pause ask on the next one, in the order of their calls.
   */
  #pause(patience: Patience): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        this.#pauses.delete(finish);
        for (const stop of stops) stop();
        resolve();
      };
      const delayMs = Math.min(remainingMs(patience), Math.random() * MAX_DRAINING_PAUSE_MS);
      const stops = [startTimeout(delayMs, finish), whenAborted(patience.signal, finish)];
      this.#pauses.add(finish);
    });
  }

  /** A try-lock waits for the connection as any request does, the others as long as they wait for their lock. */
  async #askNext<Granted>(
    patience: Patience,
    how: Omit<ConnectionPatience, 'timeoutMs'>,
    ask: (connection: LockConnection) => Promise<Granted | null>,
  ): Promise<Asked<Granted>> {
    const timeoutMs = patience.waitMs === 0 ? this.#requestTimeoutMs : remainingMs(patience);
    try {
      return await this.#keeper.get({ ...how, timeoutMs }, (connection) => ({ asked: ask(connection) }));
    } catch (error) {
      if (isReasonOf(patience.signal, error)) throw error;
      if (isClosed(error)) throw new LockClosedError({ cause: error.cause });
      throw noConnection(error);
    }
  }

  async #open(): Promise<LockConnection> {
    const connection = new LockConnection({
      ...this.#options,
      requestTimeoutMs: this.#requestTimeoutMs,
      outside: this.#events.outside,
    });
    const name = this.name;
    this.#opening = connection;
    connection.on('event', (event) => this.#events.event(event));
    connection.on('error', (error) => this.#events.failed(error));
    connection.on('close', (error) => this.#disconnected(connection, error));
    try {
      const timeoutMs = this.#connectTimeoutMs;
      await connection.open(this.#dial, { name, defaultName: this.#events.defaultName, timeoutMs });
      if (connection.state !== 'open') throw new MessageError('connectionLost', 'the connection was lost at once');
      // It may have been given another name meanwhile.
      if (this.name !== name) connection.notify('identify', { name: this.name });
      return connection;
    } finally {
      this.#opening = undefined;
    }
  }

  #endPauses(): void {
    for (const finish of [...this.#pauses]) finish();
  }

  #disconnected(connection: LockConnection, error: Error | undefined): void {
    if (this.#keeper.current !== connection) return;
    this.#keeper.lost(connection, error);
    this.#endPauses();
    this.#events.disconnected(error);
    // Where no further connection is to be opened, that was the end.
    if (this.#keeper.state === 'closed') void this.close({});
  }

  async #close(drainMs: number): Promise<void> {
    const reason = new LockClosedError();
    this.#closing.abort(reason);
    this.#endPauses();
    const connection = this.#keeper.current;
    if (connection !== undefined && drainMs > 0) {
      connection.cancelWaits(reason);
      const timeIsOver = makeGate();
      const stopTimeout = startTimeout(drainMs, timeIsOver.resolve);
      await Promise.race([connection.unheld(), timeIsOver.promise]);
      stopTimeout();
    }
    this.#keeper.close();
    await Promise.all([connection?.close(), this.#opening?.abandon()]);
    this.#phase = 'closed';
    this.#events.closed();
  }

  #nextCall(): number {
    this.#callCount += 1;
    return this.#callCount;
  }

  #throwIfClosing(cause?: Error): void {
    if (this.#phase !== 'living') throw new LockClosedError({ cause });
  }
}

function isClosed(error: unknown): error is MessageError {
  return error instanceof MessageError && error.code === 'closed';
}

/** The reason of a signal may be any error, also one like those that are looked at here. */
function isReasonOf(signal: AbortSignal | undefined, error: unknown): boolean {
  return signal?.aborted === true && signal.reason === error;
}

/** A lease that is shorter than the way to the server and back is over each time: that ends with the wait. */
function throwIfLeaseOver(holds: readonly Hold[], patience: Patience): void {
  if (remainingMs(patience) > 0 || !holds.some(({ loss }) => loss?.code === 'leaseOver')) return;
  throw new LockTimeoutError(
    `the lock was not granted within ${patience.waitMs} ms: its lease was over each time before the answer came`,
  );
}

/** What another took away is not taken back behind its back: the caller learns of it by its handle. */
function isToBeHandedOut({ isHeld, loss }: Hold): boolean {
  return isHeld || loss?.code === 'stolen' || loss?.code === 'forced';
}
