/** The load generator itself: does one job after the other, and answers each. Ends with its parent. */

import { runClosedLoop } from './closed-loop.ts';
import type { LoadAnswer, LoadJob } from './load-job.ts';
import { LoadFailure } from './load-run.ts';
import { runOpenLoop } from './open-loop.ts';

async function answer(job: LoadJob): Promise<LoadAnswer> {
  try {
    return { result: await (job.kind === 'closedLoop' ? runClosedLoop(job) : runOpenLoop(job)) };
  } catch (error) {
    return { problem: (error as Error).message, isOverload: error instanceof LoadFailure && error.isOverload };
  }
}

process.on('message', (job: LoadJob) => {
  void answer(job).then((answered) => process.send?.(answered));
});
process.once('disconnect', () => process.exit());
