/** `holdfast ls`: the locks that are held or waited for. */

import type { LockClient } from '../../client/lock-client.ts';
import type { LockInformation, LockMode } from '../../protocol.ts';
import { HOLDFAST_CODES } from './exit-codes.ts';
import { follow, noteOnStandardError, repeat } from './follow.ts';
import { showClient, showDuration, showName, table } from './format.ts';
import { ask, print, printJson, type QueryOptions } from './query.ts';

const PAGE = 1_000;
/** In the order of their names, no more locks than these are counted that are not shown. */
const MOST_COUNTED = 1_000;
/** Clears a terminal and begins at its top. */
const CLEAR = '\u001b[H\u001b[2J';
/** Lines of a terminal that are not for locks: the heading, how many are not shown, and where the cursor is. */
const OTHER_LINES = 3;

/** What a command line of `ls` says. */
export interface ListOptions extends QueryOptions {
  readonly sort: keyof typeof ORDERS;
  readonly mode?: LockMode;
  readonly max: number;
  readonly watch?: true;
  /** How often the list is shown again, in milliseconds. */
  readonly every: number;
}

/** Which of two locks comes first. */
export const ORDERS = {
  name: (): number => 0,
  age: (one: LockInformation, other: LockInformation): number => heldMs(other) - heldMs(one),
  waiters: (one: LockInformation, other: LockInformation): number => other.waiterCount - one.waiterCount,
} as const;

/** Lists locks whose names begin with the prefix; with `watch` again and again, until a signal ends the program. */
export async function list(prefix: string, options: ListOptions): Promise<number> {
  if (options.watch !== true) {
    return await ask(options, async (client) => {
      await show(client, prefix, { ...options, reason: `--max is ${options.max}` }, () => {});
      return HOLDFAST_CODES.ok;
    });
  }
  let count = 0;
  const separate = (): void => {
    if (process.stdout.isTTY) print(CLEAR);
    else if (count > 0) print('\n');
    count += 1;
  };
  return await follow(options, noteOnStandardError, async (client) => {
    await repeat(options.every, () => show(client, prefix, fitting(options), separate));
    return HOLDFAST_CODES.ok;
  });
}

/** With the reason why there are no more than `max`. */
type BoundedOptions = ListOptions & { readonly reason: string };

/** As many as a terminal has room for. */
function fitting(options: ListOptions): BoundedOptions {
  const room = process.stdout.isTTY ? Math.max(1, process.stdout.rows - OTHER_LINES) : options.max;
  if (room < options.max) return { ...options, max: room, reason: 'the terminal has no more lines' };
  return { ...options, reason: `--max is ${options.max}` };
}

/** Shows the list once; `begin` comes before what it prints. */
async function show(client: LockClient, prefix: string, options: BoundedOptions, begin: () => void): Promise<void> {
  const { json, reason } = options;
  const { locks, count, isCounted } = await firstLocks(client.listAll({ prefix, max: PAGE }), options);
  begin();
  if (json === true) {
    printJson(locks);
    return;
  }
  if (locks.length > 0) print(table(HEADING, locks.map(toRow)));
  const left = count - locks.length;
  const atLeast = isCounted ? '' : 'at least ';
  if (left > 0)
    process.stderr.write(`${atLeast}${left} more ${left === 1 ? 'is' : 'are'} not shown, since ${reason}\n`);
}

/** The first by the order, and how many there are, if all were counted. Keeps at most twice as many as are wanted. */
async function firstLocks(
  all: AsyncIterable<LockInformation>,
  { sort, mode, max }: ListOptions,
): Promise<{ readonly locks: readonly LockInformation[]; readonly count: number; readonly isCounted: boolean }> {
  let locks: LockInformation[] = [];
  let count = 0;
  const keepFirst = (): void => {
    locks = locks.sort(ORDERS[sort]).slice(0, max);
  };
  for await (const lock of all) {
    const { holders, waiters } = lock;
    if (mode !== undefined && ![...holders, ...waiters].some((each) => each.mode === mode)) continue;
    count += 1;
    locks.push(lock);
    if (locks.length >= 2 * max) keepFirst();
    if (sort === 'name' && count === max + MOST_COUNTED) break;
  }
  keepFirst();
  return { locks, count, isCounted: sort !== 'name' || count < max + MOST_COUNTED };
}

const HEADING = ['LOCK', 'MODE', 'HOLDERS', 'WAITERS', 'HELD', 'HOLDER'];

function toRow(lock: LockInformation): readonly string[] {
  const { lockName, holderCount, waiterCount, holders, waiters } = lock;
  const [oldest] = holders;
  const held = oldest === undefined ? '-' : showDuration(heldMs(lock));
  const mode = (oldest ?? waiters[0])?.mode ?? '-';
  const holder = oldest === undefined ? '-' : showClient(oldest);
  return [showName(lockName), mode, String(holderCount), String(waiterCount), held, holder];
}

function heldMs({ holders }: LockInformation): number {
  return Math.max(0, ...holders.map((holder) => holder.heldMs));
}
