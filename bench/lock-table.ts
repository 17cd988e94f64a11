/**
 * Measures the lock table alone, without a server: bytes for each held lock, nanoseconds for a lock with its unlock beside 1 to
 * 1,000,000 locks, in a queue of 1 to 10,000 and beside 1 to 10,000 sessions, and the longest single operation while a million
 * locks are taken and freed.
 *
 *     npm run build && node dist/bench/lock-table.js [--short]
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LockTable } from '../lib/locks/lock-table.ts';
import type { LockRequest, Session } from '../lib/locks/types.ts';
import { isShort } from './program.ts';

const CLIENT = { clientName: '', address: '' };

const OPERATIONS = isShort ? 2_000 : 200_000;
const ROUNDS = isShort ? 1 : 7;
const LOCKS = isShort ? [1, 100, 10_000] : [1, 1_000, 10_000, 100_000, 1_000_000];
const COUNTS = isShort ? [1, 100] : [1, 100, 10_000];
const LOCKS_A_SESSION = 10_000;
const NO_LIMITS = {
  maxLocks: Number.POSITIVE_INFINITY,
  maxLocksPerSession: Number.POSITIVE_INFINITY,
  maxWaitersPerLock: Number.POSITIVE_INFINITY,
  maxLocksPerRequest: Number.POSITIVE_INFINITY,
  maxTableBytes: Number.POSITIVE_INFINITY,
  maxBytesPerSession: Number.POSITIVE_INFINITY,
};

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function makeTable(): LockTable {
  let token = Date.now() * 1_000;
  const nextToken = (): number => {
    token += 1;
    return token;
  };
  return new LockTable({
    limits: NO_LIMITS,
    nextToken,
    compareNames: (a, b) => (a < b ? -1 : a === b ? 0 : 1),
  });
}

function lock(table: LockTable, session: Session, name: string, waitMs = 0, id?: number): string {
  const request: LockRequest = { name, mode: 'exclusive', tag: '', waitMs, id };
  return table.acquire(session, request, performance.now()).result.status;
}

/** Names of 15 characters, made of bytes as a codec does it. */
function nameOf(index: number): string {
  return Buffer.from(`g held-${String(index).padStart(10, '0')}`).toString('latin1', 2);
}

function expectStatus(status: string, expected: string): void {
  if (status !== expected) throw new Error(`${status} instead of ${expected}`);
}

function hold(table: LockTable, count: number, each: (durationMs: number) => void = () => {}): Session[] {
  const sessions: Session[] = [];
  for (let index = 0; index < count; index += 1) {
    if (index % LOCKS_A_SESSION === 0) sessions.push(table.openSession(CLIENT));
    const session = sessions.at(-1) as Session;
    const name = nameOf(index);
    const startMs = performance.now();
    const status = lock(table, session, name, 0, index);
    each(performance.now() - startMs);
    expectStatus(status, 'ok');
  }
  return sessions;
}

/** Nanoseconds for one lock with its unlock, the least of some rounds, because other work on the machine only adds to it. */
function pairNs(table: LockTable): number {
  const session = table.openSession(CLIENT);
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const startMs = performance.now();
    for (let index = 0; index < OPERATIONS; index += 1) {
      const name = `own-${index % 64}`;
      lock(table, session, name);
      expectStatus(table.release(session, { name }, performance.now()).result.status, 'ok');
    }
    least = Math.min(least, ((performance.now() - startMs) * 1e6) / OPERATIONS);
  }
  table.continueEnd(table.endSession(session, performance.now()).result, Number.POSITIVE_INFINITY, performance.now());
  return least;
}

/** Nanoseconds for one handoff: the holder unlocks, the head of the queue gets the lock, the former holder queues. */
function handoffNs(waiters: number): number {
  const table = makeTable();
  const queue = Array.from({ length: waiters + 1 }, () => table.openSession(CLIENT));
  for (const [index, session] of queue.entries()) {
    expectStatus(lock(table, session, 'queue', Number.POSITIVE_INFINITY, 1), index === 0 ? 'ok' : 'queued');
  }
  let least = Number.POSITIVE_INFINITY;
  let turn = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const startMs = performance.now();
    for (let index = 0; index < OPERATIONS; index += 1) {
      const holder = queue[turn] as Session;
      turn = (turn + 1) % queue.length;
      const released = table.release(holder, { name: 'queue' }, performance.now());
      if (released.events.length !== 1) throw new Error(`${released.events.length} events instead of 1`);
      expectStatus(lock(table, holder, 'queue', Number.POSITIVE_INFINITY, 1), 'queued');
    }
    least = Math.min(least, ((performance.now() - startMs) * 1e6) / OPERATIONS);
  }
  return least;
}

function besideSessions(count: number): number {
  const table = makeTable();
  for (let index = 0; index < count; index += 1) lock(table, table.openSession(CLIENT), nameOf(index));
  return pairNs(table);
}

function usedBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

function besideLocks(count: number): number {
  const before = usedBytes();
  const table = makeTable();
  const sessions = hold(table, count);
  const bytes = (usedBytes() - before) / count;
  const ns = pairNs(table);
  if (table.counts.holders !== count || sessions.length === 0) throw new Error('locks were lost');
  const shownBytes = count < LOCKS_A_SESSION ? '' : `  ${bytes.toFixed(0)} bytes for each`;
  console.log(`${String(count).padStart(9)} locks held       ${ns.toFixed(0).padStart(6)} ns a pair${shownBytes}`);
  return ns;
}

function report(what: string, counts: readonly number[], measureNs: (count: number) => number): void {
  const measured = counts.map((count) => {
    const ns = measureNs(count);
    console.log(`${String(count).padStart(9)} ${what.padEnd(16)} ${ns.toFixed(0).padStart(6)} ns`);
    return ns;
  });
  console.log(`the last : the first: ${((measured.at(-1) as number) / (measured[0] as number)).toFixed(2)}`);
}

/** The longest operations, with the pauses of garbage collection. */
function reportLongest(count: number): void {
  const table = makeTable();
  const takenMs: number[] = [];
  const sessions = hold(table, count, (durationMs) => takenMs.push(durationMs));
  const freedMs: number[] = [];
  for (const session of sessions) {
    const end = table.endSession(session, performance.now()).result;
    while (end.holds.length > 0) {
      const startMs = performance.now();
      table.continueEnd(end, 64, startMs);
      freedMs.push(performance.now() - startMs);
    }
  }
  for (const [what, all] of [
    ['lock', takenMs],
    ['end of 64', freedMs],
  ] as const) {
    const longest = [...all].sort((a, b) => b - a).slice(0, 5);
    console.log(`longest of ${count}, ${what}: ${longest.map((each) => each.toFixed(2)).join(' ')} ms`);
  }
}

pairNs(makeTable());
const heldNs = LOCKS.map(besideLocks);
console.log(`the last : the first: ${((heldNs.at(-1) as number) / (heldNs[0] as number)).toFixed(2)}`);
report('waiters, handoff', COUNTS, handoffNs);
report('sessions, pair', COUNTS, besideSessions);
reportLongest(LOCKS.at(-1) as number);
