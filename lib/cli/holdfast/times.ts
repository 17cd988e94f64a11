/** Moments and lengths of time as people write them on a command line. */

import { InvalidArgumentError } from 'commander';

const MS_A_SECOND = 1_000;
const MS_A_DAY = 86_400_000;
const MIN_SECONDS = 0.1;
const MAX_SECONDS = 86_400;
const UNITS: Readonly<Record<string, number>> = { s: 1_000, min: 60_000, m: 60_000, h: 3_600_000, d: MS_A_DAY };
const TIME_OF_DAY = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/;
const AGO = /^(\d+(?:\.\d+)?)\s*(s|min|m|h|d)$/;

/**
 * Milliseconds since 1970: of a time of the day, `03:12`, the last one that has been; of a date with a time, `2026-11-27 03:12`; or so long
 * ago, `90min`. Without a zone it is local time. @throws InvalidArgumentError for anything else.
 */
export function parseMoment(text: string, nowMs: number = Date.now()): number {
  const [, hours, minutes, seconds = '0'] = TIME_OF_DAY.exec(text) ?? [];
  if (hours !== undefined && Number(hours) < 24 && Number(minutes) < 60 && Number(seconds) < 60) {
    const moment = new Date(nowMs).setHours(Number(hours), Number(minutes), Number(seconds), 0);
    return moment <= nowMs ? moment : new Date(moment).setDate(new Date(moment).getDate() - 1);
  }
  const [, count, unit = ''] = AGO.exec(text) ?? [];
  if (count !== undefined) return nowMs - Number(count) * (UNITS[unit] ?? 0);
  const moment = /^\d{4}-\d{2}-\d{2}[T ]/.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  if (!Number.isNaN(moment)) return moment;
  throw new InvalidArgumentError('Expected a time such as 03:12, 2026-11-27 03:12 or 90min (ago).');
}

/** Milliseconds of a number of seconds, from a tenth to a day. @throws InvalidArgumentError for anything else. */
export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && seconds >= MIN_SECONDS && seconds <= MAX_SECONDS) return seconds * MS_A_SECOND;
  throw new InvalidArgumentError(`Expected a number of seconds from ${MIN_SECONDS} to ${MAX_SECONDS}.`);
}
