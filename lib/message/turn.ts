/**
 * One turn: the work on one piece of input. What is sent in it goes out at its end, a write for each connection, in the
 * order in which the connections were first written to.
 */

/** Who has something to send. */
export interface Flushable {
  flush(): void;
}

const unsent: Flushable[] = [];
/** `none`: what is sent now belongs to no input; a microtask sends it. */
let state: 'none' | 'working' | 'scheduled' = 'none';
const resolved = Promise.resolve();
/** When this turn's time was first asked for. */
let timeMs: number | undefined;

/** The time of the turn, in milliseconds as `performance.now` tells them: read once in each, for that is dear. */
export function turnTimeMs(): number {
  if (state !== 'working') return performance.now();
  timeMs ??= performance.now();
  return timeMs;
}

/** Does the work on one piece of input as a turn, or as a part of the turn that it falls into. */
export function takeTurn(work: () => void): void {
  if (state === 'working') {
    work();
    return;
  }
  state = 'working';
  try {
    work();
  } finally {
    endTurn();
  }
}

/** Flushes at the end of the turn; asked once for each time that there is something. */
export function flushAtEndOfTurn(flushable: Flushable): void {
  unsent.push(flushable);
  if (state !== 'none') return;
  state = 'scheduled';
  // A promise costs a fraction of what queueMicrotask does.
  void resolved.then(endTurn);
}

function endTurn(): void {
  state = 'working';
  try {
    // What is written may cause further input and output at once, which belong to the turn: the list may grow on the way.
    for (let index = 0; index < unsent.length; index += 1) (unsent[index] as Flushable).flush();
    // To set the length is a call of the engine's.
    while (unsent.length > 0) unsent.pop();
  } finally {
    state = 'none';
    timeMs = undefined;
  }
}
