/** Sets how the engine runs our programs. */

import { readdirSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { setFlagsFromString } from 'node:v8';

/** Bytes of bytecode; the engine's default is 920. */
const INLINED_BYTES = 3_000;

/** How much to raise the nice value of the engine's other threads above that of the serving thread. */
const OTHERS_NICENESS = 5;

/** The highest nice value. */
const MAX_NICENESS = 19;

/**
 * - Lets the engine compile more of what a request goes through into one piece: a request without sockets takes a tenth
 *   less time by that.
 * - Lets the room for new objects stay at a megabyte. By itself it grows to 16 MB or more, and then a collection of what a
 *   mass of new locks leaves there takes 20 ms. From Node 24 on it grows now and then all the same.
 * - Lets the engine's own threads, which compile and collect garbage, give way to the one that serves where there are fewer
 *   free cores than threads (on Linux). That one then collects new objects by itself, since it would have to wait for them.
 *
 * An operator who says how large the room for new objects is to be, on the command line or in `NODE_OPTIONS`, gets the engine's
 * own collections and threads. An engine that does not know a flag says so on standard error and goes on.
 */
export function tuneEngine(): void {
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTES}`);
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ''];
  if (given.some((text) => /semi[-_]space/.test(text))) return;
  setFlagsFromString('--semi-space-growth-factor=1');
  if (process.platform !== 'linux') return;
  setFlagsFromString('--no-parallel-scavenge');
  letOtherThreadsGiveWay();
}

function letOtherThreadsGiveWay(): void {
  try {
    const threads = readdirSync('/proc/self/task').map(Number);
    // In a namespace of its own for processes but not for files, the threads have other numbers there.
    if (!threads.includes(process.pid)) return;
    for (const thread of threads) {
      if (thread === process.pid) continue;
      setPriority(thread, Math.min(getPriority(thread) + OTHERS_NICENESS, MAX_NICENESS));
    }
  } catch {
    // Where the system does not allow it, or a thread has just ended, they run as they are.
  }
}
