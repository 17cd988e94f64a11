/** What both loops of the load generator need: their connections, names that no other run uses, and the time used. */

import { LoadConnection, type LoadObserver } from './load-connection.ts';
import type { LoadTarget } from './load-job.ts';
import type { Exchange } from './load-protocols.ts';

/** No more than servers queue that were told to queue few. */
const CONNECT_AT_ONCE = 16;

/** A run that does not count: a reply was wrong or did not come, or the generator could not keep its rate. */
export class LoadFailure extends Error {
  override readonly name: string = 'LoadFailure';
  readonly isOverload: boolean;

  constructor(problem: string, isOverload = false) {
    super(problem);
    this.isOverload = isOverload;
  }
}

/** Opens connections to the target, each with its requests. */
export async function openConnections(
  target: LoadTarget,
  count: number,
  exchangesOf: (index: number) => readonly Exchange[],
  observer: LoadObserver,
): Promise<LoadConnection[]> {
  const connections: LoadConnection[] = [];
  while (connections.length < count) {
    const first = connections.length;
    const opening = Array.from({ length: Math.min(CONNECT_AT_ONCE, count - first) }, (_, index) =>
      LoadConnection.open(target, first + index, exchangesOf(first + index), observer),
    );
    connections.push(...(await Promise.all(opening)));
  }
  return connections;
}

let runs = 0;

/** Names of 16 characters for the locks of one run: a run that failed may have left some behind. */
export function uniqueNames(): (connection: number, index: number) => string {
  runs += 1;
  const run = String(runs).padStart(3, '0');
  return (connection, index) => `lk-${run}-${String(connection).padStart(4, '0')}-${String(index).padStart(4, '0')}`;
}
