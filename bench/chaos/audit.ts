/** Asks the server of a chaos run who holds what, and finds what should not be there. */

import { setTimeout as pause } from 'node:timers/promises';
import { LockClient, type LockHolder, type LockInformation } from 'holdfast';
import { keepsFromWriting } from './costs.ts';
import type { History } from './history.ts';
import { type ClientPlace, LONE_NAMES, nowMs } from './messages.ts';

const EVERY_MS = 1_500;
const AGAIN_MS = 200;
const CONNECT_TIMEOUT_MS = 1_000;
const REQUEST_TIMEOUT_MS = 2_000;

/** What an audit allows, and whom it asks. */
export interface AuditOptions {
  /** A hold that nobody has any more may be listed for so long: that of some client, or of any. */
  readonly leftBehindMs: (client?: number) => number;
  /** And as much longer as the server was kept from its work within some time. */
  readonly excusedMs: (fromMs: number, untilMs: number) => number;
  /** Which client has a process of that number. */
  readonly clientOf: (pid: number) => number | undefined;
}

interface Listing {
  readonly locks: readonly LockInformation[];
  /** Whether nothing is granted since sessions of the run before are awaited. */
  readonly isInGrace: boolean;
}

export class Audit {
  readonly #place: ClientPlace;
  readonly #history: History;
  readonly #options: AuditOptions;
  readonly #leftBehind = new Set<number>();
  /** When a token without a client was first seen in a listing. */
  readonly #strays = new Map<number, number>();

  constructor(place: ClientPlace, history: History, options: AuditOptions) {
    this.#place = place;
    this.#history = history;
    this.#options = options;
  }

  async runUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(EVERY_MS, undefined, { signal }).catch(() => {});
      const listing = await this.#list();
      if (listing === undefined) continue;
      this.#checkHolders(listing.locks.flatMap(({ holders }) => holders));
      await this.#checkWaiters(listing);
    }
  }

  /** The tokens of all holders; undefined when the server does not answer. */
  async listTokens(): Promise<Set<number> | undefined> {
    const listing = await this.#list();
    return listing && tokensIn(listing);
  }

  /** Takes a lock from whoever holds it. Resolves to whether the server did; `unknown` when it does not answer. */
  async force(name: string): Promise<boolean | 'unknown'> {
    const client = this.#connect();
    try {
      return (await client.forceUnlock(name)) > 0;
    } catch {
      return 'unknown';
    } finally {
      await client.close();
    }
  }

  /** Once all clients have ended, nothing may be listed and no connection be open but one. */
  async checkRemains(): Promise<void> {
    const endMs = nowMs() + this.#options.leftBehindMs();
    for (;;) {
      const client = await LockClient.connect(this.#place);
      const { holders, waiting, suspendedSessions, openConnections } = await client.stats();
      await client.close();
      const remains = { holders, waiting, suspendedSessions, connections: openConnections - 1 };
      const left = Object.entries(remains).filter(([, count]) => count !== 0);
      if (left.length === 0) return;
      if (nowMs() > endMs) {
        const what = left.map(([name, count]) => `${name} ${count}`).join(', ');
        this.#history.violation(nowMs(), `left on the server: ${what}`);
        return;
      }
      await pause(AGAIN_MS);
    }
  }

  async #list(): Promise<Listing | undefined> {
    const client = this.#connect();
    try {
      const { awaitedSessions } = await client.stats();
      const locks: LockInformation[] = [];
      for await (const lock of client.listAll()) locks.push(lock);
      return { locks, isInGrace: awaitedSessions > 0 };
    } catch {
      return undefined;
    } finally {
      await client.close();
    }
  }

  #connect(): LockClient {
    const timeouts = { connectTimeoutMs: CONNECT_TIMEOUT_MS, requestTimeoutMs: REQUEST_TIMEOUT_MS };
    return new LockClient({ ...this.#place, reconnect: false, ...timeouts });
  }

  /** What the server lists must be held by somebody, or have been until a moment ago. */
  #checkHolders(holders: readonly LockHolder[]): void {
    const atMs = nowMs();
    for (const holder of holders) {
      const { token } = holder;
      const known = this.#history.endOf(token);
      if (known !== undefined && known.endMs === undefined) continue;
      const sinceMs = known?.endMs ?? this.#strays.get(token) ?? atMs;
      if (known === undefined) this.#strays.set(token, sinceMs);
      const { log } = this.#history;
      const client = known?.client ?? this.#options.clientOf(pidIn(holder));
      // A client that is stopped or cut off tells nobody of its grant, or that it has let go.
      const hurtMs = client === undefined ? 0 : log.ownHurtMs(client, sinceMs, atMs);
      const listedMs = atMs - sinceMs - this.#options.excusedMs(sinceMs, atMs) - hurtMs;
      if (listedMs <= this.#options.leftBehindMs(client) || this.#leftBehind.has(token)) continue;
      this.#leftBehind.add(token);
      const ended = `${known?.end ?? 'told to nobody'}, ${(atMs - sinceMs).toFixed(0)} ms ago`;
      this.#history.violation(atMs, `left behind: token ${token}, ${ended}`);
    }
  }

  /** A lock that is free, and free still a moment later, although somebody waits for it, has forgotten its waiters. */
  async #checkWaiters(listing: Listing): Promise<void> {
    const names = idleIn(listing);
    if (names.length === 0) return;
    const fromMs = nowMs();
    await pause(AGAIN_MS);
    const next = await this.#list();
    if (next === undefined) return;
    // A lock whose loss cannot be recorded is granted to nobody (L3).
    const { faults } = this.#history.log;
    if (faults.some(({ kind, untilMs }) => keepsFromWriting(kind) && untilMs >= fromMs)) return;
    const idle = new Set(idleIn(next));
    for (const name of names) {
      if (idle.has(name)) this.#history.violation(nowMs(), `a waiter forgotten: the lock ${name} is free`);
    }
  }
}

function idleIn({ locks, isInGrace }: Listing): readonly string[] {
  if (isInGrace) return [];
  const idle = locks.filter(({ holderCount, waiterCount }) => holderCount === 0 && waiterCount > 0);
  return idle.map(({ lockName }) => lockName).filter((name) => LONE_NAMES.includes(name));
}

/** A client tells its program, host and process as its name. */
function pidIn({ name }: LockHolder): number {
  return Number(name.split(':').at(-1));
}

function tokensIn({ locks }: Listing): Set<number> {
  return new Set(locks.flatMap(({ holders }) => holders.map(({ token }) => token)));
}
