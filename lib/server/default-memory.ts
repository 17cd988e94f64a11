/** Default limits for the memory of the lock table, unread answers and unfinished messages. */

import { getHeapStatistics } from 'node:v8';

/** The limit of the heap includes room for new objects: by default three times this much, and more since V8 13 (Node 24). */
const SEMI_SPACE_BYTES = Number.parseInt(process.versions.v8, 10) < 13 ? 16_777_216 : 67_108_864;
/** The rest is for connections and listings, for locks that are kept for their next use, and for garbage. */
const PARTS_OF_HEAP = { table: 1 / 2, output: 1 / 8, input: 1 / 8 };
/** A container's memory is less than the heap may grow to when it is small, and the program itself takes some of it. */
const PARTS_OF_CONTAINER = { table: 1 / 6, output: 1 / 12, input: 1 / 12 };

/** Bytes. Follows from the heap that this process may have, and from the memory of its container. */
export function defaultBytes(use: 'table' | 'output' | 'input'): number {
  const heapBytes = getHeapStatistics().heap_size_limit - 3 * SEMI_SPACE_BYTES;
  // Nothing is told where there is no such limit, depending on the version of Node.
  const containerBytes = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.floor(Math.min(heapBytes * PARTS_OF_HEAP[use], containerBytes * PARTS_OF_CONTAINER[use]));
}
