/** The load generator's closed loop: each connection sends its next request when one is answered. */

import type { LoadConnection, LoadObserver } from './load-connection.ts';
import { type ClosedLoopJob, type ClosedLoopResult, LoadFailure } from './load-generator.ts';
import { type Exchange, lockPair, uniqueNames } from './load-protocols.ts';
import { UsageMeter } from './processes.ts';

const MS_A_SECOND = 1_000;
/** A run that takes this much longer than planned has failed. */
const PATIENCE_MS = 20_000;

const LOCK = 0;

/** One run. `run` rejects with a `LoadFailure` when a reply is wrong or does not come. */
export class ClosedLoop implements LoadObserver {
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
      setTimeout(() => this.failed('requests were not answered'), endMs + PATIENCE_MS),
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
