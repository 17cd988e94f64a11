/** The load generator as the programs here use it: a process of its own, on a core of its own where there are two. */

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ClosedLoopJob, ClosedLoopResult, LoadAnswer, LoadJob, OpenLoopJob, OpenLoopResult } from './load-job.ts';
import { LoadFailure } from './load-run.ts';
import { askChild, CORES, pinToCore } from './processes.ts';

const PROGRAM = fileURLToPath(new URL('load-generator-process.js', import.meta.url));

/** Does one job at a time. */
export class LoadGenerator {
  readonly #process: ChildProcess;
  /** Whether it has a core to itself. */
  readonly isPinned: boolean;

  static start(): LoadGenerator {
    return new LoadGenerator(fork(PROGRAM, { serialization: 'advanced' }));
  }

  constructor(child: ChildProcess) {
    this.#process = child;
    this.isPinned = pinToCore(child.pid as number, CORES.generator);
  }

  /** Rejects with a `LoadFailure` when a reply was wrong or did not come. */
  closedLoop(job: Omit<ClosedLoopJob, 'kind'>): Promise<ClosedLoopResult> {
    return this.#run<ClosedLoopResult>({ kind: 'closedLoop', ...job });
  }

  /** Rejects with a `LoadFailure`, also when the server cannot keep up; its `isOverload` tells. */
  openLoop(job: Omit<OpenLoopJob, 'kind'>): Promise<OpenLoopResult> {
    return this.#run<OpenLoopResult>({ kind: 'openLoop', ...job });
  }

  stop(): void {
    this.#process.disconnect();
  }

  async #run<Result>(job: LoadJob): Promise<Result> {
    const answer = await askChild<LoadAnswer>(this.#process, job);
    if ('problem' in answer) throw new LoadFailure(`${job.target.protocol}: ${answer.problem}`, answer.isOverload);
    return answer.result as Result;
  }
}
