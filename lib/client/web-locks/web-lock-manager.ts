/** The Web Locks API on top of the lock server: code written for `navigator.locks` runs across machines. */

import type { LockHolder, LockInformation, LockWaiter } from '../../protocol.ts';
import { isReasonOf, LockCancelledError, LockClosedError, LockLostError } from '../lock-error.ts';
import type { LockHandle } from '../lock-handle.ts';
import { LOCK_OPTIONS, type LockCall, toCall } from '../options.ts';
import {
  checkWebLockRequest,
  makeWebLock,
  namedException,
  toWebLockRequest,
  type WebLock,
  type WebLockMode,
  type WebLockOptions,
  type WebLockRequest,
} from './web-lock.ts';

/** The parts of the client that the API uses. */
interface WebLockSource {
  /** Whether it takes no new calls. */
  isClosed(): boolean;
  /** Takes a lock as an owner of its own; resolves to null when a try-lock would have had to wait. */
  take(call: LockCall): Promise<LockHandle | null>;
  /** All that is held or waited for. */
  listAll(): AsyncIterable<LockInformation>;
}

/** A lock that is held or requested, and by which client. */
export interface WebLockInfo {
  name: string;
  mode: WebLockMode;
  /** Tells clients apart: the client's address as the server sees it, after its name if it has one. */
  clientId: string;
}

/** The locks that are held, in the order of the grants, and the requests that wait, in their order. */
export interface WebLockSnapshot {
  held: WebLockInfo[];
  pending: WebLockInfo[];
}

/** Runs while the lock is held; is called with null when the lock is not free and `ifAvailable` was asked for. */
export type WebLockCallback<Value> = (lock: WebLock | null) => Value;

/**
 * The standard's LockManager: https://w3c.github.io/web-locks/. Cases that the standard does not know, such as an unreachable
 * server, reject with the errors of `LockClient`.
 */
export class WebLockManager {
  readonly #source: WebLockSource;

  /** For the client, which has one. */
  constructor(source: WebLockSource) {
    this.#source = source;
  }

  /**
   * Runs the callback while it holds the lock; once the lock is released, resolves to the callback's value or rejects with its
   * error. Never enters a lock twice: a request for a lock that the caller holds waits. Rejects with a TypeError
   * for arguments of the wrong kind and with a DOMException: `NotSupportedError` where the standard says so,
   * `InvalidStateError` once the client is closed, `AbortError` when the lock was stolen or lost while the callback ran;
   * with the signal's reason; or, without a lock, as `LockClient.lock` does.
   */
  request<Value>(name: string, callback: WebLockCallback<Value>): Promise<Awaited<Value>>;
  request<Value>(name: string, options: WebLockOptions, callback: WebLockCallback<Value>): Promise<Awaited<Value>>;
  async request(name: unknown, callbackOrOptions: unknown, ...more: readonly unknown[]): Promise<unknown> {
    const source = this.#source;
    // Not by the kind of the arguments: a browser looks at how many there are.
    const [options, callback] = more.length === 0 ? [undefined, callbackOrOptions] : [callbackOrOptions, more[0]];
    const request = toWebLockRequest(name, options, callback);
    throwIfClosed(source);
    checkWebLockRequest(request);
    const handle = await take(source, request);
    if (handle === null) return await request.callback(null);
    if (request.signal?.aborted === true) {
      void handle.release();
      throw request.signal.reason;
    }
    return await runUntilLost(handle, () => request.callback(makeWebLock(request.name, request.mode)));
  }

  /**
   * The holders and waiters of all clients of the server, however they asked. Rejects with
   * `InvalidStateError` once the client is closed, and as `LockClient.list` does.
   */
  async query(): Promise<WebLockSnapshot> {
    const source = this.#source;
    throwIfClosed(source);
    return await takeSnapshot(source.listAll());
  }

  get [Symbol.toStringTag](): string {
    return 'LockManager';
  }
}

function throwIfClosed(source: WebLockSource): void {
  if (source.isClosed()) throw namedException('InvalidStateError', 'the client is closed', new LockClosedError());
}

async function take(source: WebLockSource, request: WebLockRequest): Promise<LockHandle | null> {
  const { name, mode, ifAvailable, steal, signal } = request;
  const wait = { waitMs: ifAvailable ? 0 : Number.POSITIVE_INFINITY, signal, stealable: true };
  try {
    return await source.take(
      toCall(name, mode === 'exclusive' ? { ...wait, mode, steal } : { ...wait, mode }, LOCK_OPTIONS),
    );
  } catch (error) {
    if (!(error instanceof LockClosedError || error instanceof LockCancelledError)) throw error;
    if (isReasonOf(signal, error)) throw error;
    throw namedException('AbortError', `the request was ended: ${error.message}`, error);
  }
}

/** Does not wait for the callback of a lock that is lost: nobody uses its value or its error. */
async function runUntilLost(handle: LockHandle, run: () => unknown): Promise<unknown> {
  const { signal } = handle;
  const ran = async (): Promise<unknown> => run();
  let value: unknown;
  try {
    value = await handle.whileHeld(ran());
  } catch (error) {
    await handle.end();
    throw isReasonOf(signal, error) ? lost(signal.reason) : error;
  }
  const loss = await handle.end();
  if (loss !== undefined) throw lost(new LockLostError(loss.code, loss.lockName, { result: value }));
  return value;
}

function lost(loss: LockLostError): Error {
  return namedException('AbortError', loss.message, loss);
}

interface Held {
  readonly token: number;
  readonly info: WebLockInfo;
}

interface Pending {
  /** When it was requested, by this side's clock. */
  readonly sinceMs: number;
  readonly info: WebLockInfo;
}

/** Reads all pages. Permits are left out, since the standard has none. */
async function takeSnapshot(locks: AsyncIterable<LockInformation>): Promise<WebLockSnapshot> {
  const held: Held[] = [];
  const pending: Pending[] = [];
  for await (const { lockName, holders, waiters } of locks) {
    for (const holder of holders) {
      const info = toInfo(lockName, holder);
      if (info !== undefined) held.push({ token: holder.token, info });
    }
    pending.push(...toPending(lockName, waiters));
  }
  held.sort((a, b) => a.token - b.token);
  pending.sort((a, b) => a.sinceMs - b.sinceMs);
  return { held: held.map(({ info }) => info), pending: pending.map(({ info }) => info) };
}

/** No waiter gets an earlier time than the one ahead in its queue, so that sorting keeps each queue in its order. */
function toPending(lockName: string, waiters: readonly LockWaiter[]): Pending[] {
  const nowMs = performance.now();
  let earliestMs = Number.NEGATIVE_INFINITY;
  const pending: Pending[] = [];
  for (const waiter of waiters) {
    const info = toInfo(lockName, waiter);
    if (info === undefined) continue;
    earliestMs = Math.max(earliestMs, nowMs - waiter.waitedMs);
    pending.push({ sinceMs: earliestMs, info });
  }
  return pending;
}

function toInfo(lockName: string, { mode, name, address }: LockHolder | LockWaiter): WebLockInfo | undefined {
  if (mode === 'permit') return undefined;
  return { name: lockName, mode, clientId: name === '' ? address : `${name} at ${address}` };
}
