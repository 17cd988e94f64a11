/**
 * The process of the load generator: does one job after the other, answers each, and ends with its parent. In a closed loop each
 * connection sends its next request when one is answered. In an open loop requests go out at their planned times, answered or not,
 * and latency counts from the planned time: so a pause of the server shows in every request that it delayed, and a pause of the
 * generator shows as lateness.
 */

import { type Exchange, LoadConnection, type LoadObserver, lockPair, uniqueNames } from './load-connection.ts';
import {
  type ClosedLoopJob,
  type ClosedLoopResult,
  type LatencySummary,
  type LoadAnswer,
  LoadFailure,
  type LoadJob,
  type OpenLoopJob,
  type OpenLoopResult,
} from './load-generator.ts';
import { UsageMeter } from './processes.ts';

const MS_A_SECOND = 1_000;
/** A run that takes this much longer than planned has failed. */
const CLOSED_PATIENCE_MS = 20_000;

const LOCK = 0;

/** One run. `run` rejects with a `LoadFailure` when a reply is wrong or does not come. */
class ClosedLoop implements LoadObserver {
  readonly #job: ClosedLoopJob;
  readonly #isOneName: boolean;
  readonly #nameOf: (connection: number, index: number) => string = uniqueNames();
  readonly #meter: UsageMeter;
  readonly #grants: Uint32Array;
  /** For each connection, the number of its last grant among all grants. */
  readonly #lastGrants: Uint32Array;
  #allGrants = 0;
  #longestGap = 0;
  #holder: LoadConnection | undefined;
  #state: 'warmingUp' | 'measuring' | 'finishing' = 'warmingUp';
  #answered = 0;
  #busyConnections = 0;
  #toFlush: LoadConnection[] = [];
  #flushed: LoadConnection[] = [];
  #finish: () => void = () => {};
  #reject: (failure: LoadFailure) => void = () => {};

  constructor(job: ClosedLoopJob) {
    this.#job = job;
    this.#isOneName = job.names === 'one';
    this.#meter = new UsageMeter(job.target.pid);
    this.#grants = new Uint32Array(job.connections);
    this.#lastGrants = new Uint32Array(job.connections);
  }

  /** First the locks, as many as are in flight, then their unlocks: each unlock follows the answer to its lock. */
  exchangesOf(connection: number): readonly Exchange[] {
    const { target, depth, names } = this.#job;
    const pairs = Array.from({ length: depth }, (_, index) => {
      const name = names === 'one' ? this.#nameOf(0, 0) : this.#nameOf(connection, index);
      return lockPair(target.protocol, name, index, depth + index);
    });
    return [...pairs.map(({ lock }) => lock), ...pairs.map(({ unlock }) => unlock)];
  }

  async run(connections: readonly LoadConnection[]): Promise<ClosedLoopResult> {
    const { depth, warmUpSeconds, seconds } = this.#job;
    const finished = new Promise<void>((resolve, reject) => {
      this.#finish = resolve;
      this.#reject = reject;
    });
    this.#busyConnections = connections.length;
    for (const connection of connections) {
      for (let count = 0; count < depth; count += 1) connection.plan();
      connection.flush();
    }
    const endMs = (warmUpSeconds + seconds) * MS_A_SECOND;
    const timers = [
      setTimeout(() => this.#startMeasuring(), warmUpSeconds * MS_A_SECOND),
      setTimeout(() => this.#stopMeasuring(), endMs),
      setTimeout(() => this.failed('requests were not answered'), endMs + CLOSED_PATIENCE_MS),
    ];
    try {
      await finished;
    } finally {
      for (const timer of timers) clearTimeout(timer);
    }
    const grants = [...this.#grants];
    const fewestGrants = grants.reduce((least, each) => Math.min(least, each));
    const mostGrants = grants.reduce((most, each) => Math.max(most, each));
    return { ...this.#meter.summarize(this.#answered), fewestGrants, mostGrants, longestGap: this.#longestGap };
  }

  answered(connection: LoadConnection, place: number): void {
    if (this.#state === 'measuring') this.#answered += 1;
    if (this.#isOneName && place === LOCK) this.#granted(connection);
    // Redis keeps locks after their connection has ended, so each connection goes on until it holds nothing.
    if (this.#state === 'finishing' && connection.planned === 0) return;
    connection.plan();
  }

  /** Sends after everything available was read, so a slow server gets requests in bunches. */
  read(connection: LoadConnection): void {
    if (connection.due === 0) {
      if (connection.unanswered > 0) return;
      this.#busyConnections -= 1;
      if (this.#busyConnections === 0) this.#finish();
      return;
    }
    if (this.#toFlush.length === 0) setImmediate(this.#flush);
    this.#toFlush.push(connection);
  }

  failed(problem: string): void {
    this.#reject(new LoadFailure(problem));
  }

  #granted(connection: LoadConnection): void {
    if (this.#holder !== undefined) this.failed('two connections held the same lock');
    this.#holder = connection;
    const { index } = connection;
    const last = this.#lastGrants[index] as number;
    this.#allGrants += 1;
    this.#lastGrants[index] = this.#allGrants;
    if (this.#state !== 'measuring') return;
    this.#grants[index] = (this.#grants[index] as number) + 1;
    if (last > 0) this.#longestGap = Math.max(this.#longestGap, this.#allGrants - last - 1);
  }

  readonly #flush = (): void => {
    [this.#toFlush, this.#flushed] = [this.#flushed, this.#toFlush];
    for (const connection of this.#flushed) {
      // Only the holder sends an unlock.
      if (this.#holder === connection) this.#holder = undefined;
      connection.flush();
    }
    this.#flushed.length = 0;
  };

  #startMeasuring(): void {
    this.#state = 'measuring';
    this.#meter.start();
  }

  #stopMeasuring(): void {
    this.#state = 'finishing';
    this.#meter.stop();
  }
}

/** Of the histogram. */
const STEPS = 64;
const POWERS = 40;
const NANOSECONDS_A_MILLISECOND = 1e6;
const MICROSECONDS_A_MILLISECOND = 1_000;
const OPEN_PATIENCE_MS = 10_000;
/** A server that leaves more requests of one connection unanswered cannot keep up. */
const MAX_UNANSWERED = 2_048;
/** Reading the processor time takes a moment; requests that it delays do not count. */
const METER_MS = 10;

/** One run. `run` rejects with a `LoadFailure` when a reply is wrong or does not come, or the server cannot keep up. */
class OpenLoop implements LoadObserver {
  readonly #job: OpenLoopJob;
  readonly #nameOf: (connection: number, index: number) => string = uniqueNames();
  readonly #meter: UsageMeter;
  readonly #lock: LatencyHistogram = new LatencyHistogram();
  readonly #lateness: LatencyHistogram = new LatencyHistogram();
  /** For each place of each connection, when its request was planned. */
  readonly #plannedMs: Float64Array;
  readonly #intervalMs: number;
  /** An even number for each connection, so that the last lock is unlocked, too. */
  readonly #total: number;
  #connections: readonly LoadConnection[] = [];
  #toFlush: LoadConnection[] = [];
  #startMs = 0;
  #countFromMs = Number.POSITIVE_INFINITY;
  #planned = 0;
  #unanswered = 0;
  #answered = 0;
  #readMs = 0;
  #state: 'warmingUp' | 'measuring' | 'finishing' | 'ended' = 'warmingUp';
  #finish: () => void = () => {};
  #reject: (failure: LoadFailure) => void = () => {};

  constructor(job: OpenLoopJob) {
    this.#job = job;
    this.#meter = new UsageMeter(job.target.pid);
    this.#plannedMs = new Float64Array(job.connections * MAX_UNANSWERED);
    this.#intervalMs = MS_A_SECOND / job.requestsPerSecond;
    const wanted = job.requestsPerSecond * (job.warmUpSeconds + job.seconds);
    this.#total = Math.ceil(wanted / (2 * job.connections)) * 2 * job.connections;
  }

  /** Locks and their unlocks in turn, under names that come again after all others. */
  exchangesOf(connection: number): readonly Exchange[] {
    return Array.from({ length: MAX_UNANSWERED / 2 }, (_, index) => {
      const name = this.#nameOf(connection, index);
      const { lock, unlock } = lockPair(this.#job.target.protocol, name, 2 * index, 2 * index + 1);
      return [lock, unlock];
    }).flat();
  }

  async run(connections: readonly LoadConnection[]): Promise<OpenLoopResult> {
    this.#connections = connections;
    const finished = new Promise<void>((resolve, reject) => {
      this.#finish = resolve;
      this.#reject = reject;
    });
    const plannedMs = this.#total * this.#intervalMs;
    const timer = setTimeout(() => this.failed('requests were not answered'), plannedMs + OPEN_PATIENCE_MS);
    this.#startMs = performance.now();
    setImmediate(this.#turn);
    try {
      await finished;
    } finally {
      this.#state = 'ended';
      clearTimeout(timer);
    }
    const lateness = this.#lateness.summarize();
    return { ...this.#meter.summarize(this.#answered), lock: this.#lock.summarize(), lateness };
  }

  answered(connection: LoadConnection, place: number): void {
    if (this.#readMs === 0) this.#readMs = performance.now();
    this.#unanswered -= 1;
    if (this.#state === 'measuring') this.#answered += 1;
    const plannedMs = this.#plannedMs[connection.index * MAX_UNANSWERED + place] as number;
    const isLock = place % 2 === 0;
    if (isLock && plannedMs >= this.#countFromMs) this.#lock.add(this.#readMs - plannedMs);
    if (this.#unanswered === 0 && this.#state === 'finishing') this.#finish();
  }

  read(): void {
    this.#readMs = 0;
  }

  failed(problem: string): void {
    this.#reject(new LoadFailure(problem));
  }

  /** Never sleeps, because a timer would be a millisecond late. */
  readonly #turn = (): void => {
    if (this.#state === 'ended') return;
    const nowMs = performance.now();
    if (this.#state === 'warmingUp' && nowMs - this.#startMs >= this.#job.warmUpSeconds * MS_A_SECOND) {
      this.#startMeasuring(nowMs);
    }
    this.#planUntil(nowMs);
    for (const connection of this.#toFlush) this.#flush(connection);
    this.#toFlush.length = 0;
    if (this.#planned === this.#total && this.#state === 'measuring') this.#stopMeasuring();
    setImmediate(this.#turn);
  };

  #planUntil(nowMs: number): void {
    const count = this.#connections.length;
    for (; this.#planned < this.#total; this.#planned += 1) {
      const plannedMs = this.#startMs + this.#planned * this.#intervalMs;
      if (plannedMs > nowMs) return;
      const connection = this.#connections[this.#planned % count] as LoadConnection;
      if (connection.unanswered === MAX_UNANSWERED) {
        this.#reject(new LoadFailure(`a connection has ${MAX_UNANSWERED} requests that are not answered`, true));
        return;
      }
      this.#plannedMs[connection.index * MAX_UNANSWERED + connection.planned] = plannedMs;
      if (connection.due === 0) this.#toFlush.push(connection);
      connection.plan();
      this.#unanswered += 1;
    }
  }

  /** Records the lateness of the oldest request in one write. */
  #flush(connection: LoadConnection): void {
    const first = connection.index * MAX_UNANSWERED + connection.next;
    const plannedMs = this.#plannedMs[first] as number;
    if (plannedMs >= this.#countFromMs) this.#lateness.add(performance.now() - plannedMs);
    connection.flush();
  }

  #startMeasuring(nowMs: number): void {
    this.#state = 'measuring';
    this.#countFromMs = nowMs + METER_MS;
    this.#meter.start();
  }

  #stopMeasuring(): void {
    this.#meter.stop();
    this.#state = 'finishing';
    if (this.#unanswered === 0) this.#finish();
  }
}

/** Counts durations, in steps of 1.6 %, and tells their quantiles. */
class LatencyHistogram {
  readonly #counts: Uint32Array = new Uint32Array(STEPS * POWERS);
  #total = 0;
  #maxMs = 0;

  add(durationMs: number): void {
    const nanoseconds = Math.max(0, Math.round(durationMs * NANOSECONDS_A_MILLISECOND));
    this.#total += 1;
    if (durationMs > this.#maxMs) this.#maxMs = durationMs;
    const index = indexOf(nanoseconds);
    this.#counts[index] = (this.#counts[index] as number) + 1;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
    this.#maxMs = 0;
  }

  summarize(): LatencySummary {
    return {
      p50: this.#quantile(0.5),
      p99: this.#quantile(0.99),
      p999: this.#quantile(0.999),
      max: this.#maxMs * MICROSECONDS_A_MILLISECOND,
    };
  }

  /** In microseconds: the lower end of its step. */
  #quantile(share: number): number {
    const wanted = Math.floor(this.#total * share);
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      if (seen > wanted) return lowerEnd(index) / MICROSECONDS_A_MILLISECOND;
    }
    return this.#maxMs * MICROSECONDS_A_MILLISECOND;
  }
}

/** Each nanosecond below 64 has a step of its own, then each doubling has 32. */
function indexOf(nanoseconds: number): number {
  if (nanoseconds < STEPS) return nanoseconds;
  const power = Math.floor(Math.log2(nanoseconds)) - 5;
  const index = (power * STEPS) / 2 + Math.floor(nanoseconds / 2 ** power);
  return Math.min(index, STEPS * POWERS - 1);
}

function lowerEnd(index: number): number {
  if (index < STEPS) return index;
  const power = Math.floor(index / (STEPS / 2)) - 1;
  return (index - (power * STEPS) / 2) * 2 ** power;
}

type Loop = ClosedLoop | OpenLoop;

/** Few enough for a server with a short backlog. */
const CONNECT_AT_ONCE = 16;

/** Opens the connections of a job, some at a time. */
async function openConnections({ target, connections: count }: LoadJob, loop: Loop): Promise<LoadConnection[]> {
  const connections: LoadConnection[] = [];
  while (connections.length < count) {
    const first = connections.length;
    const opening = Array.from({ length: Math.min(CONNECT_AT_ONCE, count - first) }, (_, index) =>
      LoadConnection.open(target, first + index, loop.exchangesOf(first + index), loop),
    );
    connections.push(...(await Promise.all(opening)));
  }
  return connections;
}

async function run(job: LoadJob): Promise<ClosedLoopResult | OpenLoopResult> {
  const loop: Loop = job.kind === 'closedLoop' ? new ClosedLoop(job) : new OpenLoop(job);
  const connections = await openConnections(job, loop);
  try {
    return await loop.run(connections);
  } finally {
    for (const connection of connections) connection.close();
  }
}

async function answer(job: LoadJob): Promise<LoadAnswer> {
  try {
    return { result: await run(job) };
  } catch (error) {
    return { problem: (error as Error).message, isOverload: error instanceof LoadFailure && error.isOverload };
  }
}

process.on('message', (job: LoadJob) => {
  void answer(job).then((answered) => process.send?.(answered));
});
process.once('disconnect', () => process.exit());
