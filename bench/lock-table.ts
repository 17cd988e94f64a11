/**
 * Measures the lock table alone, without a server: bytes for each held lock, nanoseconds for a lock with its unlock beside 1 to
 * 1,000,000 locks, in a queue of 1 to 10,000 and beside 1 to 10,000 sessions, and the longest single operation while a million
 * locks are taken and freed. Then the search for deadlocks among crowds of owners that wait and are waited for: each crowd is
 * built with tags and without, which is never searched, and the ratio of both times is what the search costs.
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
  table.goOn(table.endSession(session), Number.POSITIVE_INFINITY, performance.now());
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
    const end = table.endSession(session);
    while (!end.isOver) {
      const startMs = performance.now();
      table.goOn(end, 64, startMs);
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

const OWNERS = isShort ? 200 : 4_900;
const DENSE = isShort ? [10, 100] : [100, 4_000];
const HANDOFFS = isShort ? 2_000 : 100_000;
const SEARCH_ROUNDS = isShort ? 1 : 15;
const SLICE_STEPS = 200;
const FOREVER = Number.POSITIVE_INFINITY;

/** Milliseconds of processor time, which other work on the machine does not change. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Each owner is a session with a tag or without. */
class Crowd {
  readonly table: LockTable;
  readonly #tag: string;
  longestMs = 0;

  constructor(tag: string) {
    this.#tag = tag;
    this.table = makeTable();
  }

  owners(count: number): Session[] {
    return Array.from({ length: count }, () => this.table.openSession(CLIENT));
  }

  lock(session: Session, name: string): string {
    const request = { name, mode: 'exclusive', tag: this.#tag, waitMs: FOREVER } as const;
    return this.table.acquire(session, request, 0).result.status;
  }

  unlock(session: Session, name: string): void {
    this.table.release(session, { name, tag: this.#tag }, 0);
  }

  /** The same, measured. */
  lockTimed(session: Session, name: string): string {
    const startMs = processorMs();
    const status = this.lock(session, name);
    this.longestMs = Math.max(this.longestMs, processorMs() - startMs);
    return status;
  }

  /** Goes on with the search until it is over; the result is how many requests it refused. */
  search(): number {
    let refused = 0;
    while (this.table.isBehind) {
      const startMs = processorMs();
      refused += this.table.catchUp(SLICE_STEPS, 0).length;
      this.longestMs = Math.max(this.longestMs, processorMs() - startMs);
    }
    return refused;
  }
}

type Shape = (crowd: Crowd) => unknown;

/** Each owner holds a lock and waits for its neighbour's. */
function chain(order: (count: number) => number[]): (crowd: Crowd) => Session | undefined {
  return (crowd) => {
    const owners = crowd.owners(OWNERS);
    for (const [index, owner] of owners.entries()) crowd.lock(owner, `${index}`);
    for (const index of order(OWNERS - 1)) crowd.lockTimed(owners[index] as Session, `${index + 1}`);
    return owners.at(-1);
  };
}

const forwards = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const backwards = (count: number): number[] => forwards(count).reverse();
/** Each index once, in leaps. */
const leaping = (count: number): number[] => forwards(count).map((index) => (index * 1_997) % count);

/** Each owner holds a lock that somebody waits for, and all ask for one lock. */
const hotLock: Shape = (crowd) => {
  const owners = crowd.owners(OWNERS);
  const waiters = crowd.owners(OWNERS);
  crowd.lock(owners[0] as Session, 'hot');
  for (const [index, owner] of owners.entries()) {
    crowd.lock(owner, `${index}`);
    crowd.lock(waiters[index] as Session, `${index}`);
  }
  for (const owner of owners.slice(1)) crowd.lockTimed(owner, 'hot');
};

/** A crowd waits for one lock, and each of its holders in turn asks for another, for which a crowd waits, too. */
const twoHotLocks: Shape = (crowd) => {
  const [first, ...others] = crowd.owners(OWNERS);
  crowd.lock(first as Session, 'second');
  for (const owner of others.slice(OWNERS / 2)) crowd.lock(owner, 'second');
  const waiters = others.slice(0, OWNERS / 2);
  for (const owner of waiters) crowd.lock(owner, 'first');
  for (const owner of waiters) {
    crowd.lockTimed(owner, 'second');
    crowd.search();
    crowd.unlock(owner, 'first');
  }
};

/** Many owners wait for many locks, and one that is waited for asks for the first of them. */
const dense: Shape = (crowd) => {
  const [locks = 0, owners = 0] = DENSE;
  const [holder, root, waiter] = crowd.owners(3) as [Session, Session, Session];
  for (let lock = 0; lock < locks; lock += 1) crowd.lock(holder, `${lock}`);
  for (const owner of crowd.owners(owners)) for (let lock = 0; lock < locks; lock += 1) crowd.lock(owner, `${lock}`);
  crowd.lock(root, 'own');
  crowd.lock(waiter, 'own');
  crowd.lockTimed(root, '0');
};

function measureShape(shape: Shape, tag: string): { ms: number; longestMs: number; refused: number } {
  const crowd = new Crowd(tag);
  const startMs = processorMs();
  shape(crowd);
  const refused = crowd.search();
  return { ms: processorMs() - startMs, longestMs: crowd.longestMs, refused };
}

function reportShape(what: string, shape: Shape): void {
  for (const tag of ['', 'x']) measureShape(shape, tag);
  const plain = measureShape(shape, '');
  const tagged = measureShape(shape, 'x');
  const ratio = (tagged.ms / plain.ms).toFixed(2);
  console.log(
    `${what.padEnd(44)} ${tagged.ms.toFixed(0).padStart(6)} ms, ${ratio.padStart(7)} times without tags; ` +
      `longest step ${tagged.longestMs.toFixed(1)} ms, without tags ${plain.longestMs.toFixed(1)} ms` +
      (tagged.refused === 0 ? '' : `; ${tagged.refused} refused`),
  );
}

/** The last of a chain closes the circle again and again; each time that is found. The least of the rounds. */
function reportCircle(): void {
  const crowd = new Crowd('x');
  const last = chain(forwards)(crowd) as Session;
  crowd.search();
  const least = { ms: FOREVER, longestMs: FOREVER };
  for (let round = 0; round < SEARCH_ROUNDS; round += 1) {
    crowd.longestMs = 0;
    const startMs = processorMs();
    const refused = (crowd.lockTimed(last, '0') === 'deadlock' ? 1 : 0) + crowd.search();
    if (refused !== 1) throw new Error(`${refused} requests were refused instead of 1`);
    least.ms = Math.min(least.ms, processorMs() - startMs);
    least.longestMs = Math.min(least.longestMs, crowd.longestMs);
  }
  const { ms, longestMs } = least;
  console.log(`a circle of ${OWNERS} owners is found in ${ms.toFixed(1)} ms; longest step ${longestMs.toFixed(1)} ms`);
}

/** The owners of a short queue hand a lock on: milliseconds of the processor. */
function handOn(crowd: Crowd, [first, second]: readonly Session[]): number {
  const startMs = processorMs();
  for (let count = 0; count < HANDOFFS; count += 2) {
    for (const owner of [first, second] as [Session, Session]) {
      crowd.unlock(owner, 'own');
      crowd.lock(owner, 'own');
    }
  }
  return processorMs() - startMs;
}

/** The least of some rounds, because other work only adds to it. With tags and without by turns. */
function reportHandoff(): void {
  const sides = ['', 'x'].map((tag) => {
    const crowd = new Crowd(tag);
    const owners = crowd.owners(2);
    for (const owner of owners) crowd.lock(owner, 'own');
    return { crowd, owners, leastMs: FOREVER };
  });
  for (let round = 0; round < SEARCH_ROUNDS; round += 1) {
    for (const side of sides) side.leastMs = Math.min(side.leastMs, handOn(side.crowd, side.owners));
  }
  const [plainMs, taggedMs] = sides.map(({ leastMs }) => leastMs) as [number, number];
  console.log(
    `a handoff: ${((taggedMs * 1e6) / HANDOFFS).toFixed(0)} ns, ${(taggedMs / plainMs).toFixed(2)} times without tags`,
  );
}

pairNs(makeTable());
const heldNs = LOCKS.map(besideLocks);
console.log(`the last : the first: ${((heldNs.at(-1) as number) / (heldNs[0] as number)).toFixed(2)}`);
report('waiters, handoff', COUNTS, handoffNs);
report('sessions, pair', COUNTS, besideSessions);
reportLongest(LOCKS.at(-1) as number);
reportHandoff();
reportShape(`a chain of ${OWNERS} owners, in order`, chain(forwards));
reportShape(`a chain of ${OWNERS} owners, from its end`, chain(backwards));
reportShape(`a chain of ${OWNERS} owners, in leaps`, chain(leaping));
reportShape(`${OWNERS} owners that ask for one lock`, hotLock);
reportShape(`${OWNERS} owners that ask for one of two`, twoHotLocks);
reportShape(`one beside ${DENSE.join(' locks with waiters each ')}`, dense);
reportCircle();
