/**
 * The load generator's open loop: requests go out at their planned times, whether or not earlier ones were answered, and
 * latency counts from the planned time. So a pause of the server shows in all requests that it delayed, and a pause of the
 * generator in how late they were written.
 */

import { LatencyHistogram } from './latency-histogram.ts';
import type { LoadConnection, LoadObserver } from './load-connection.ts';
import type { OpenLoopJob, OpenLoopResult } from './load-job.ts';
import { type Exchange, lockPair } from './load-protocols.ts';
import { LoadFailure, openConnections, uniqueNames } from './load-run.ts';
import { UsageMeter } from './processes.ts';

const MS_A_SECOND = 1_000;
const PATIENCE_MS = 10_000;
/** So many requests of a connection may be unanswered; a server that has more before it cannot keep up. */
const MAX_UNANSWERED = 2_048;
/** To read the processor time takes the generator a moment; what it delays is not counted. */
const METER_MS = 10;

/** Runs the job. Rejects with a `LoadFailure` when a reply is wrong or does not come, or the server cannot keep up. */
export async function runOpenLoop(job: OpenLoopJob): Promise<OpenLoopResult> {
  const loop = new OpenLoop(job);
  const connections = await openConnections(job.target, job.connections, makeExchanges(job), loop);
  try {
    return await loop.run(connections);
  } finally {
    loop.end();
    for (const connection of connections) connection.close();
  }
}

/** Locks and their unlocks in turn, under names that come again after all others. */
function makeExchanges({ target }: OpenLoopJob): (connection: number) => readonly Exchange[] {
  const nameOf = uniqueNames();
  return (connection) =>
    Array.from({ length: MAX_UNANSWERED / 2 }, (_, index) => {
      const { lock, unlock } = lockPair(target.protocol, nameOf(connection, index), 2 * index, 2 * index + 1);
      return [lock, unlock];
    }).flat();
}

class OpenLoop implements LoadObserver {
  readonly #job: OpenLoopJob;
  readonly #meter: UsageMeter;
  readonly #lock: LatencyHistogram = new LatencyHistogram();
  readonly #lateness: LatencyHistogram = new LatencyHistogram();
  /** For each place of each connection, when its request was planned. */
  readonly #plannedMs: Float64Array;
  readonly #intervalMs: number;
  /** An even number for each connection: so the last lock is unlocked, too. */
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

  async run(connections: readonly LoadConnection[]): Promise<OpenLoopResult> {
    this.#connections = connections;
    const finished = new Promise<void>((resolve, reject) => {
      this.#finish = resolve;
      this.#reject = reject;
    });
    const plannedMs = this.#total * this.#intervalMs;
    const timer = setTimeout(() => this.failed('requests were not answered'), plannedMs + PATIENCE_MS);
    this.#startMs = performance.now();
    setImmediate(this.#turn);
    try {
      await finished;
    } finally {
      clearTimeout(timer);
    }
    const lateness = this.#lateness.summarize();
    return { ...this.#meter.summarize(this.#answered), lock: this.#lock.summarize(), lateness };
  }

  end(): void {
    this.#state = 'ended';
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

  /** Looks at the clock and at the sockets in turns, without ever sleeping: a timer would be a millisecond late. */
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
        this.end();
        return;
      }
      this.#plannedMs[connection.index * MAX_UNANSWERED + connection.planned] = plannedMs;
      if (connection.due === 0) this.#toFlush.push(connection);
      connection.plan();
      this.#unanswered += 1;
    }
  }

  /** The oldest of the requests that go out with one write is the latest. */
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
