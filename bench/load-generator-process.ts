/** The process of the load generator: does one job after the other, and answers each. Ends with its parent. */

import { ClosedLoop } from './closed-loop.ts';
import { LoadConnection } from './load-connection.ts';
import {
  type ClosedLoopResult,
  type LoadAnswer,
  LoadFailure,
  type LoadJob,
  type OpenLoopResult,
} from './load-generator.ts';
import { OpenLoop } from './open-loop.ts';

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
