/** How long a store keeps a lock that nobody releases. */

/** The option of datastores whose servers do not notice that a holder is gone. */
export interface TimeToLiveOptions {
  /**
   * The server frees a lock that was not released after this many seconds, even if its holder still works; 3,600 by
   * default.
   */
  readonly ttlSeconds?: number;
}

/** The times that a store can measure, in seconds. */
interface TimeToLiveRange {
  readonly minSeconds: number;
  readonly maxSeconds: number;
  /** Whether it measures whole seconds only. */
  readonly isWhole: boolean;
}

/** dlock's default. */
export const DEFAULT_TTL_SECONDS: number = 3_600;

/** Returns the time to live, in seconds. @throws {RangeError} when the store cannot measure it. */
export function checkTimeToLive(ttlSeconds: number, range: TimeToLiveRange): number {
  const { minSeconds, maxSeconds, isWhole } = range;
  const isOfKind = isWhole ? Number.isInteger(ttlSeconds) : Number.isFinite(ttlSeconds);
  if (isOfKind && ttlSeconds >= minSeconds && ttlSeconds <= maxSeconds) return ttlSeconds;
  const kind = isWhole ? 'whole number' : 'number';
  throw new RangeError(
    `ttlSeconds is ${String(ttlSeconds)}; expected a ${kind} of seconds from ${minSeconds} to ${maxSeconds}`,
  );
}
