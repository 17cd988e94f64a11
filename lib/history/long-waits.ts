/** Logs waits that last long, with who holds what they wait for, while they last. */

import type { Logger } from '../message/logger.ts';
import { QuietLog } from '../message/quiet-log.ts';
import { startTimeout } from '../message/timeout.ts';
import type { LockObserver, ObservedClaim, ObservedRefusal } from '../server/lock-observer.ts';

const MAX_HOLDERS_TOLD = 10;
const MAX_LOGGED_CHARACTERS = 256;
const TOPIC = 'wait';

/** Reads the time, as observers are told it. */
export type NowMs = () => number;

/** Watches the waits of one server, or of servers that follow each other. */
export class LongWaits implements LockObserver {
  #waitsOverMs: number;
  readonly #log: QuietLog;
  readonly #nowMs: NowMs;
  /** Those that wait and were not told of, in the order in which they came. */
  readonly #waiting = new Set<ObservedClaim>();
  #stopTimer: (() => void) | undefined;

  /** A wait gets its line when it has lasted for `waitsOverMs` milliseconds; 0 is never. */
  constructor(waitsOverMs: number, logger: Logger, nowMs: NowMs = () => performance.now()) {
    this.#waitsOverMs = waitsOverMs;
    this.#log = new QuietLog(logger);
    this.#nowMs = nowMs;
  }

  /** Makes another time hold. While it is 0, waits that begin are not watched, and get no line later. */
  change(waitsOverMs: number): void {
    this.#waitsOverMs = waitsOverMs;
    this.#stop();
    const [first] = waitsOverMs === 0 ? [] : this.#waiting;
    if (first === undefined) this.#waiting.clear();
    else this.#stopTimer = this.#startTimer(first);
  }

  queued(claim: ObservedClaim): void {
    if (this.#waitsOverMs === 0) return;
    this.#waiting.add(claim);
    this.#stopTimer ??= this.#startTimer(claim);
  }

  granted(claim: ObservedClaim): void {
    this.#waiting.delete(claim);
  }

  refused({ claim }: ObservedRefusal): void {
    if (claim !== undefined) this.#waiting.delete(claim);
  }

  /** Those that wait then go on with another server, if at all, which tells of them anew. */
  stopping(): void {
    this.#waiting.clear();
    this.#stop();
  }

  /** Stops the timer, and tells what was left out. */
  close(): void {
    this.#stop();
    this.#log.flush();
  }

  #stop(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  #startTimer({ sinceMs }: ObservedClaim): () => void {
    const delayMs = Math.max(0, sinceMs + this.#waitsOverMs - this.#nowMs());
    return startTimeout(delayMs, () => this.#tellDue(), 'background');
  }

  #tellDue(): void {
    const nowMs = this.#nowMs();
    this.#stopTimer = undefined;
    for (const claim of this.#waiting) {
      if (claim.sinceMs + this.#waitsOverMs > nowMs) {
        this.#stopTimer = this.#startTimer(claim);
        return;
      }
      this.#waiting.delete(claim);
      this.#tell(claim, nowMs);
    }
  }

  #tell(claim: ObservedClaim, nowMs: number): void {
    const wait = describe(claim, nowMs);
    const { waitedMs, lockName, address } = wait;
    this.#log.tell({
      level: 'info',
      topic: TOPIC,
      key: claim.lock.name,
      details: { ...wait, ...holdersOf(claim, nowMs) },
      message: `a request has waited for a lock for ${waitedMs} ms`,
      leftOut: (times) => ({
        details: { times, lockName, address },
        message: `${times} more times within a minute a request waited for longer than ${this.#waitsOverMs} ms, the last one of ${address}`,
      }),
    });
  }
}

function describe({ lock, mode, owner, sinceMs }: ObservedClaim, nowMs: number) {
  const { clientName: name, address } = owner.session.client;
  const lockName = lock.name.slice(0, MAX_LOGGED_CHARACTERS);
  return { lockName, mode, owner: owner.tag, name, address, waitedMs: Math.round(nowMs - sinceMs) };
}

/** Who holds what is waited for: of several locks, the first that is held. */
function holdersOf({ lock, group }: ObservedClaim, nowMs: number): { holderCount: number; holders: readonly object[] } {
  const held = group?.waiting.find((each) => each.lock.holderCount > 0)?.lock ?? lock;
  const holders: object[] = [];
  for (let each = held.firstHolder; each !== undefined && holders.length < MAX_HOLDERS_TOLD; each = each.next) {
    const { mode, owner, token, sinceMs } = each;
    const { clientName: name, address } = owner.session.client;
    holders.push({ owner: owner.tag, name, address, mode, token, heldMs: Math.round(nowMs - sinceMs) });
  }
  return { holderCount: held.holderCount, holders };
}
