/** `holdfast ls`: the locks that are held or waited for. */

import type { LockInformation, LockMode } from '../../protocol.ts';
import { showClient, showDuration, showName, table } from './format.ts';
import { ask, print, printJson, type QueryOptions } from './query.ts';

const PAGE = 1_000;

/** What a command line of `ls` says. */
export interface ListOptions extends QueryOptions {
  readonly sort: keyof typeof ORDERS;
  readonly mode?: LockMode;
  readonly max: number;
}

/** Which of two locks comes first. */
export const ORDERS = {
  name: (): number => 0,
  age: (one: LockInformation, other: LockInformation): number => heldMs(other) - heldMs(one),
  waiters: (one: LockInformation, other: LockInformation): number => other.waiterCount - one.waiterCount,
} as const;

/** Lists locks whose names begin with the prefix. */
export async function list(prefix: string, options: ListOptions): Promise<number> {
  return await ask(options, async (client) => {
    const { json, max } = options;
    const first = await firstLocks(client.listAll({ prefix, max: PAGE }), options);
    if (json === true) {
      printJson(first.locks);
      return undefined;
    }
    if (first.locks.length > 0) print(table(HEADING, first.locks.map(toRow)));
    const left = first.count - first.locks.length;
    if (left > 0) process.stderr.write(`${left} more ${left === 1 ? 'is' : 'are'} not shown, since --max is ${max}\n`);
    return undefined;
  });
}

/** The first by the order, and how many there are. Keeps at most twice as many as are wanted. */
async function firstLocks(
  all: AsyncIterable<LockInformation>,
  { sort, mode, max }: ListOptions,
): Promise<{ readonly locks: readonly LockInformation[]; readonly count: number }> {
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
  }
  keepFirst();
  return { locks, count };
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
