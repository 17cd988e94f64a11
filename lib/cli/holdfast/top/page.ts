/** The page that `holdfast top` shows: lines that fit a terminal. */

import type { LimitUsage, NamedLockHolder, NamedLockWaiter } from '../../../protocol.ts';
import { showClient, showDuration, showName } from '../format.ts';
import type { Rates, Sample } from './sample.ts';

/** What the longest waits and holds can be sorted by. */
export const SORTS = ['time', 'lock', 'client'] as const;
export type Sort = (typeof SORTS)[number];

/** What is shown. */
export interface PageContents {
  /** Where the server is. */
  readonly place: string;
  /** Undefined before the first answer. */
  readonly sample: Sample | undefined;
  /** Undefined as long as there is nothing to compare. */
  readonly rates: Rates | undefined;
  readonly sort: Sort;
  /** What there is to know beside, such as that the connection was lost. */
  readonly note: string;
}

/** The room for it. */
export interface PageSize {
  readonly columns: number;
  readonly rows: number;
}

const GAP = 2;
/** A narrower page shows no modes. */
const LEAST_COLUMNS_WITH_MODE = 60;
const LEAST_SHOWN_PERCENT = 1;
/** The server looks at very many locks less often; it is said how old the lists are from here on. */
const LEAST_SHOWN_AGE_MS = 5_000;
/** The summary takes at most this share of the lines; limits, which come last, are left out first. */
const MOST_OF_SUMMARY = 0.3;
/** Rates below are shown with a decimal. */
const LEAST_ROUND_RATE = 10;

/** At most as many lines as there is room for, none longer than the page is wide. */
export function pageOf(contents: PageContents, size: PageSize): readonly string[] {
  const { place, sample, note, sort } = contents;
  const up = sample === undefined ? '' : `, up ${showDuration(sample.statistics.uptimeMs)}`;
  const { ageMs = 0 } = sample?.survey ?? {};
  const age = ageMs < LEAST_SHOWN_AGE_MS ? '' : `, lists as of ${showDuration(ageMs)} ago`;
  const summary = wrap(summaryOf(contents), size.columns);
  const head = [`${place}${up}${age}`, ...summary.slice(0, Math.floor(size.rows * MOST_OF_SUMMARY))];
  const foot = [note === '' ? `q quits, s sorts (by ${sort})` : note];
  const room = size.rows - head.length - foot.length;
  const lines = [...head, ...listsOf(contents, { ...size, rows: room }), ...foot];
  return lines.slice(0, size.rows).map((line) => cut(line, size.columns));
}

function summaryOf({ sample, rates }: PageContents): readonly string[] {
  if (sample === undefined) return [];
  const { holders, waiting } = sample.statistics;
  const rate = (name: keyof Rates): string => `${name} ${rates === undefined ? '-' : showRate(rates[name])}/s`;
  return [
    `held ${showCount(holders)}`,
    `waiting ${showCount(waiting)}`,
    rate('requests'),
    rate('grants'),
    rate('releases'),
    rate('losses'),
    ...sample.survey.usage.map(showUsage),
  ];
}

/** The longest waits above the longest holds. Either has half of the room, and more where the other needs less. */
function listsOf({ sample, sort }: PageContents, { columns, rows }: PageSize): readonly string[] {
  if (sample === undefined) return [];
  const { longestWaits, longestHolds } = sample.survey;
  const waits = longestWaits.map((wait) => toEntry(wait, wait.waitedMs));
  const holds = longestHolds.map((hold) => toEntry(hold, hold.heldMs));
  const half = Math.floor(rows / 2);
  const waitRows = Math.min(waits.length + 1, Math.max(half, rows - holds.length - 1));
  const shownWaits = sorted(waits.slice(0, Math.max(0, waitRows - 1)), sort);
  const shownHolds = sorted(holds.slice(0, Math.max(0, rows - waitRows - 1)), sort);
  return [...listOf('WAITED', shownWaits, columns), ...listOf('HELD', shownHolds, columns)];
}

/** One line of a list. */
interface Entry {
  readonly time: string;
  readonly lock: string;
  readonly mode: string;
  readonly client: string;
}

function toEntry(claim: NamedLockHolder | NamedLockWaiter, ms: number): Entry {
  return { time: showDuration(ms), lock: showName(claim.lockName), mode: claim.mode, client: showClient(claim) };
}

/** They come with the longest first. */
function sorted(entries: readonly Entry[], sort: Sort): readonly Entry[] {
  if (sort === 'time') return entries;
  return [...entries].sort((one, other) => (one[sort] < other[sort] ? -1 : Number(one[sort] > other[sort])));
}

/** Locks and clients share what times and modes leave. */
function listOf(heading: string, entries: readonly Entry[], columns: number): readonly string[] {
  const all = [{ time: heading, lock: 'LOCK', mode: 'MODE', client: 'CLIENT' }, ...entries];
  const isModeShown = columns >= LEAST_COLUMNS_WITH_MODE;
  const timeWidth = widest(all.map(({ time }) => time));
  const modeWidth = isModeShown ? widest(all.map(({ mode }) => mode)) + GAP : 0;
  const room = Math.max(0, columns - timeWidth - modeWidth - 2 * GAP);
  const clientWidth = Math.min(widest(all.map(({ client }) => client)), Math.ceil(room / 2));
  const lockWidth = Math.min(widest(all.map(({ lock }) => lock)), room - clientWidth);
  return all.map(({ time, lock, mode, client }) => {
    const cells = [time.padEnd(timeWidth), cut(lock, lockWidth).padEnd(lockWidth)];
    if (isModeShown) cells.push(mode.padEnd(modeWidth - GAP));
    return [...cells, client].join(' '.repeat(GAP));
  });
}

function widest(cells: readonly string[]): number {
  return Math.max(...cells.map(({ length }) => length));
}

/** Items side by side, on as many lines as they need. */
function wrap(items: readonly string[], columns: number): readonly string[] {
  const lines: string[] = [];
  for (const item of items) {
    const joined = lines.length === 0 ? item : `${lines.at(-1)}${' '.repeat(GAP)}${item}`;
    if (lines.length > 0 && joined.length <= columns) lines[lines.length - 1] = joined;
    else lines.push(item);
  }
  return lines;
}

function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`.slice(0, columns);
}

function showCount(count: number): string {
  return count.toLocaleString('en');
}

function showRate(rate: number): string {
  return rate >= LEAST_ROUND_RATE || rate === 0 ? showCount(Math.round(rate)) : rate.toFixed(1);
}

function showUsage({ limit, used, max }: LimitUsage): string {
  const percent = Math.floor((used / max) * 100);
  return `${limit} ${showCount(used)}/${showCount(max)}${percent >= LEAST_SHOWN_PERCENT ? ` (${percent} %)` : ''}`;
}
