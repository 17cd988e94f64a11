/** The client of the lock server, without the ways to reach it. */

import { EventEmitter } from 'eventemitter3';
import type { Dialer } from '../message/byte-stream.ts';
import { ledToCaller } from '../message/caller-stack.ts';
import type { RpcOptions, RpcResult, ServerEvent } from '../message/message-client.ts';
import type {
  ClusterInformation,
  HistoryPage,
  LockInformation,
  LockMode,
  LockPage,
  ServerStatistics,
  TokenStanding,
} from '../protocol.ts';
import { Acquirer } from './acquirer.ts';
import { type ClientState, ConnectionKeeper, type LockClientEvents, type Surroundings } from './connection-keeper.ts';
import { EventStream } from './event-stream.ts';
import { type HistoryOptions, toHistoryParameters } from './history-options.ts';
import { leaderTerms, type TermOptions } from './leader-terms.ts';
import { refusal } from './lock-error.ts';
import { type LockHandle, runGuarded } from './lock-handle.ts';
import { LockSet } from './lock-set.ts';
import {
  ANYTHING,
  type ClientOptions,
  type ListOptions,
  LOCK_OPTIONS,
  type LockAllOptions,
  type LockItem,
  type LockOptions,
  type OptionRules,
  requireFunction,
  requireOptions,
  TERM_OPTIONS,
  TRY_LOCK_OPTIONS,
  type TryLockOptions,
  toCall,
  toCallForAll,
} from './options.ts';
import type { SessionKey } from './session-life.ts';
import { WebLockManager } from './web-locks/web-lock-manager.ts';

const DEFAULT_BUFFERED_EVENTS = 1_000;
/** The longest page, because the server looks at all names for each. */
const LISTED_A_PAGE = 1_000;

const LIST_OPTIONS: OptionRules = { prefix: ANYTHING, after: ANYTHING, max: ANYTHING };

/**
 * A client of a lock server. Every lock taken through it is free once its session is over: see docs/guarantees.md. Two
 * calls of one client exclude each other as those of two clients do.
 */
export abstract class LockClientBase extends EventEmitter<LockClientEvents> implements AsyncDisposable {
  readonly #maxBufferedEvents: number;
  readonly #keeper: ConnectionKeeper;
  readonly #acquirer: Acquirer;
  #locks: WebLockManager | undefined;

  protected constructor(dial: Dialer, options: ClientOptions, surroundings: Surroundings) {
    super();
    const { maxBufferedEvents = DEFAULT_BUFFERED_EVENTS } = options;
    this.#maxBufferedEvents = maxBufferedEvents;
    this.#keeper = new ConnectionKeeper(dial, options, surroundings, this);
    this.#acquirer = new Acquirer(this.#keeper, surroundings.traceRequest);
  }

  get state(): ClientState {
    return this.#keeper.state.kind;
  }

  /**
   * What a further connection needs to be an anchor: as long as it is open, what this client holds stays although the client has gone.
   * Undefined before the first connection, and with `session: false`.
   */
  get sessionKey(): SessionKey | undefined {
    return this.#keeper.session.life.key;
  }

  /**
   * Connects now rather than with the first call; resolves when there is a connection. Rejects with the error of the first
   * attempt: the system's error, such as `ECONNREFUSED`, a `MessageError` (`closed`, `connectionLost`), or a `LockError`:
   * `unreachable` when there was no connection within `connectTimeoutMs`, `protocol` when the server does not speak this
   * protocol, `limit` for a name that it does not take, `invalid` for an address that is none.
   */
  async connect(): Promise<void> {
    try {
      await this.#keeper.connect();
    } catch (error) {
      throw ledToCaller(error);
    }
  }

  /**
   * Takes a lock, waiting for it if need be. If the connection is lost meanwhile, it asks again on the next one. Rejects
   * with a `LockError` (`timeout`, `unreachable`, `cancelled`, `deadlock`, `invalid`, `limit`, `denied`, `draining`, `closed`,
   * `protocol`), with a `MessageError` (`connectionLost`) when the connection is lost and `reconnect` is false, or with the
   * signal's reason. Here as in all other methods, unknown options and values of the wrong kind are `invalid`.
   */
  async lock(name: string, options: LockOptions = {}): Promise<LockHandle> {
    const call = toCall(name, options, LOCK_OPTIONS);
    const [handle] = (await this.#acquirer.acquire(call, options.owner)) ?? [];
    if (handle !== undefined) return handle;
    throw this.#acquirer.notFree(call);
  }

  /** Takes a lock if that needs no waiting; resolves to null if it does. Rejects as `lock` does. */
  async tryLock(name: string, options: TryLockOptions = {}): Promise<LockHandle | null> {
    const call = { ...toCall(name, options, TRY_LOCK_OPTIONS), waitMs: 0 };
    return (await this.#acquirer.acquire(call, options.owner))?.[0] ?? null;
  }

  /**
   * Runs a function while it holds a lock and releases the lock also when the function throws. Resolves to its value, or
   * rejects with its error, or as `lock` does. When the lock was lost while the function ran, its value cannot be relied on:
   * rejects with a `LockLostError` that has it as `result`.
   */
  async locked<Value>(
    name: string,
    run: (handle: LockHandle) => Value | Promise<Value>,
    options: LockOptions = {},
  ): Promise<Awaited<Value>> {
    requireFunction('run', run);
    const handle = await this.lock(name, options);
    return await runGuarded(handle, () => run(handle));
  }

  /**
   * Runs a function under a lock if that needs no waiting; `{ ran: false }` if it does. Rejects as `locked` does.
   */
  async tryLocked<Value>(
    name: string,
    run: (handle: LockHandle) => Value | Promise<Value>,
    options: TryLockOptions = {},
  ): Promise<{ readonly ran: true; readonly value: Awaited<Value> } | { readonly ran: false }> {
    requireFunction('run', run);
    const handle = await this.tryLock(name, options);
    if (handle === null) return { ran: false };
    return { ran: true, value: await runGuarded(handle, () => run(handle)) };
  }

  /**
   * Leader election: each turn of the loop is a term in which this client holds the lock, and is the leader. A turn that
   * ends, or is left with `break`, ends the term; work in it should stop when the `signal` of its handle aborts. Waits as
   * long as it takes, over lost connections and servers that restart, until the given signal aborts: then the loop ends.
   * Rejects as `lock` does otherwise.
   */
  terms(name: string, options: TermOptions = {}): AsyncGenerator<LockHandle, void, undefined> {
    const isPassing = (error: unknown): boolean => this.#keeper.isPassing(error);
    return leaderTerms(this, isPassing, name, requireOptions(options, TERM_OPTIONS));
  }

  /**
   * Takes several locks, all of them or none, and holds none of them while it waits. Rejects as `lock` does. Calls that
   * only use this never wait for each other in a circle, whatever the order of the names.
   */
  async lockAll(locks: readonly (string | LockItem)[], options: LockAllOptions = {}): Promise<LockSet> {
    const call = toCallForAll(locks, options);
    const handles = await this.#acquirer.acquire(call);
    if (handles !== null) return new LockSet(handles);
    throw this.#acquirer.notFree(call);
  }

  /** Takes several locks if that needs no waiting; resolves to null if it does. */
  async tryLockAll(locks: readonly (string | LockItem)[]): Promise<LockSet | null> {
    const handles = await this.#acquirer.acquire(toCallForAll(locks, { waitMs: 0 }));
    return handles && new LockSet(handles);
  }

  /** Runs a function while it holds several locks. Resolves and rejects as `locked` does. */
  async lockedAll<Value>(
    locks: readonly (string | LockItem)[],
    run: (set: LockSet) => Value | Promise<Value>,
    options: LockAllOptions = {},
  ): Promise<Awaited<Value>> {
    requireFunction('run', run);
    const set = await this.lockAll(locks, options);
    return await runGuarded(set, () => run(set));
  }

  /** The Web Locks API, as a browser has it at `navigator.locks`. */
  get locks(): WebLockManager {
    this.#locks ??= new WebLockManager({
      isClosed: () => this.state === 'closing' || this.state === 'closed',
      take: async (call) => (await this.#acquirer.acquire(call))?.[0] ?? null,
      listAll: () => this.listAll({ max: LISTED_A_PAGE }),
    });
    return this.#locks;
  }

  /**
   * Tells what a token is worth, for resources that cannot remember the greatest one: `current` while the lock is held with
   * it, `superseded` when it is not any more, `unknown` when the server cannot tell.
   */
  async verify(name: string, token: number): Promise<TokenStanding> {
    return (await this.#command('verify', { lockName: name, token })).outcome as TokenStanding;
  }

  /** The holders and waiters of a lock. */
  async inspect(name: string): Promise<LockInformation> {
    return (await this.#command('inspect', { lockName: name })) as unknown as LockInformation;
  }

  /** One page of all that is held or waited for, in name order. */
  async list(options: ListOptions = {}): Promise<LockPage> {
    return (await this.#command('list', requireOptions(options, LIST_OPTIONS))) as unknown as LockPage;
  }

  /** All that is held or waited for, in name order, page by page. */
  async *listAll(options: Omit<ListOptions, 'after'> = {}): AsyncGenerator<LockInformation, void, undefined> {
    let page = await this.list(options);
    yield* page.locks;
    while (page.next !== undefined) {
      page = await this.list({ ...options, after: page.next });
      yield* page.locks;
    }
  }

  /** One page of what happened to locks, the newest first. Rejects with a `LockError`, `denied` unless the server's settings allow it. */
  async history(options: HistoryOptions = {}): Promise<HistoryPage> {
    return (await this.#command('history', toHistoryParameters(options))) as unknown as HistoryPage;
  }

  /** The counters of the server. */
  async stats(): Promise<ServerStatistics> {
    return (await this.#command('stats', {})) as unknown as ServerStatistics;
  }

  /**
   * Which servers there are, and which of them leads. Rejects with a `LockError`, `unreachable` when the server is not one of
   * several.
   */
  async cluster(): Promise<ClusterInformation> {
    return (await this.#command('cluster', {})) as unknown as ClusterInformation;
  }

  /** Gives this client the name by which others see it, on this connection and all that follow. Never connects. */
  async identify(name: string): Promise<void> {
    const isAtOnce = this.state === 'connected' || this.state === 'closing' || this.state === 'closed';
    // On a closed client this call rejects like any other.
    if (isAtOnce) await this.#command('identify', { name });
    this.#keeper.name = name;
  }

  /**
   * Takes a lock away from all its holders; `mode: 'permit'` for permits. Resolves to their number. Rejects with a
   * `LockError`, `denied` unless the server's settings allow it.
   */
  async forceUnlock(name: string, options: { readonly mode?: LockMode } = {}): Promise<number> {
    return Number(
      (await this.#command('forceUnlock', { lockName: name, ...requireOptions(options, { mode: ANYTHING }) })).released,
    );
  }

  /**
   * Ends the sessions of a client at once, by the address or the name that `who` and `inspect` tell; this one goes on. Resolves to their
   * number. Rejects with a `LockError`, `denied` unless the server lets this client do that.
   */
  async kill(client: { readonly address: string } | { readonly name: string }): Promise<number> {
    return Number((await this.#command('kill', requireOptions(client, { address: ANYTHING, name: ANYTHING }))).killed);
  }

  /** Sends any command and waits for its result, as `MessageClient.rpc` does; waits for a connection if there is none. */
  async rpc(command: string, parameters: object = {}, options: RpcOptions = {}): Promise<RpcResult> {
    try {
      return await this.#keeper.rpc(command, parameters, options);
    } catch (error) {
      throw ledToCaller(error, options?.signal);
    }
  }

  /** The events that the server sends from now on, until the client is closed or the loop is left. */
  events(): EventStream<ServerEvent> {
    const stream = new EventStream<ServerEvent>(this.#maxBufferedEvents, () => {
      this.off('event', stream.push);
      this.off('close', stream.end);
    });
    this.on('event', stream.push);
    this.once('close', stream.end);
    if (this.state === 'closed') stream.end();
    return stream;
  }

  /** Lets the process end although the client is open. Everything it holds is free then. */
  unref(): this {
    this.#keeper.setReferenced(false);
    return this;
  }

  /** Keeps the process alive while the client is open, as it is from the beginning. */
  ref(): this {
    this.#keeper.setReferenced(true);
    return this;
  }

  /**
   * Ends all waits with the code `closed`, waits up to `drainMs` milliseconds (none by default) until all locks are released,
   * then closes the connection, with which the others are lost. Resolves when the connection is gone.
   */
  close(options: { readonly drainMs?: number } = {}): Promise<void> {
    return this.#keeper.close(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #command(command: string, parameters: object): Promise<RpcResult> {
    const result = await this.rpc(command, parameters);
    if (result.status !== 'ok') throw refusal(result, `${command} was refused`);
    return result;
  }
}

/** Connects a new client. Rejects as its `connect` does; the client is closed then. */
export async function connected<Client extends LockClientBase>(client: Client): Promise<Client> {
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.close();
    throw ledToCaller(error);
  }
}
