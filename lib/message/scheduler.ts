/**
 * Schedules work. All output of one input goes out at its end, one write for each connection. Long work has a budget in each
 * turn of the event loop.
 */

/** Has output to send. */
export interface Flushable {
  flush(): void;
}

/** In the order in which the input first had something for each. */
const unsent: Flushable[] = [];
/** `none`: no input is being handled, so a microtask sends the output. `scheduled`: the microtask will run. */
let state: 'none' | 'working' | 'scheduled' = 'none';
const resolved = Promise.resolve();
let timeMs: number | undefined;

/** The time of the input, in milliseconds as `performance.now` tells them: read once for each, since that takes long. */
export function inputTimeMs(): number {
  if (state !== 'working') return performance.now();
  timeMs ??= performance.now();
  return timeMs;
}

/** Does the work of one input, or a part of it if it comes up within another's. */
export function handleInput<Argument>(work: (argument: Argument) => void, argument: Argument): void {
  if (state === 'working') {
    work(argument);
    return;
  }
  state = 'working';
  try {
    work(argument);
  } finally {
    endInput();
  }
}

/** Flushes at the end of the input; asked once for each time that there is something. */
export function flushAfterInput(flushable: Flushable): void {
  unsent.push(flushable);
  if (state !== 'none') return;
  state = 'scheduled';
  // A promise costs a fraction of queueMicrotask.
  void resolved.then(endInput);
}

function endInput(): void {
  state = 'working';
  try {
    // A write may cause further input and output at once, which belong to this input: the list may grow on the way.
    for (let index = 0; index < unsent.length; index += 1) (unsent[index] as Flushable).flush();
    // Setting `length` calls into the engine.
    while (unsent.length > 0) unsent.pop();
  } finally {
    state = 'none';
    timeMs = undefined;
  }
}

/** Work that returns `again` is not done: it goes on behind the others. It must not throw. */
export type Work = () => unknown;

/** Measures a budget. */
export interface BudgetClock {
  /** Now, read anew each time. */
  measureMs(): number;
  /** Calls back in the next turn of the event loop. */
  defer(callback: () => void): void;
}

/** The clock of the machine. */
export const budgetClock: BudgetClock = {
  measureMs: () => performance.now(),
  defer: (callback) => {
    setImmediate(callback);
  },
};

const DEFAULT_BUDGET_MS = 0.5;

/** A budget of each turn. Work is done at once while it lasts, otherwise in later turns, in order. */
export class TurnBudget {
  readonly #budgetMs: number;
  readonly #clock: BudgetClock;
  readonly #queue: Work[] = [];
  /** How many of the queue were taken up. */
  #takenCount = 0;
  #endMs = 0;
  /** `begun`: the budget runs; the next turn resets it. */
  #state: 'unused' | 'begun' = 'unused';

  /** How many milliseconds of a turn may be used, beyond the piece of work under way. */
  constructor(budgetMs: number = DEFAULT_BUDGET_MS, clock: BudgetClock = budgetClock) {
    this.#budgetMs = budgetMs;
    this.#clock = clock;
  }

  add(work: Work): void {
    this.#queue.push(work);
    if (this.#state === 'unused') this.#begin();
    // Behind work that had to wait there is no need to look at the clock, and thousands may come in one turn.
    else if (this.#queue.length === 1) this.#goOn();
  }

  /** Whether work waits, so that new work must wait, too. This asks no clock. */
  get isAwaited(): boolean {
    return this.#queue.length > 0;
  }

  /** Whether new work must wait for a later turn. Asking starts the budget, so work outside the queue counts, too. */
  get isUsedUp(): boolean {
    if (this.#state === 'unused') this.#begin();
    return this.isAwaited || this.#clock.measureMs() >= this.#endMs;
  }

  #begin(): void {
    this.#state = 'begun';
    this.#endMs = this.#clock.measureMs() + this.#budgetMs;
    this.#clock.defer(() => {
      this.#state = 'unused';
      if (this.#queue.length > 0) this.#begin();
    });
    if (this.#queue.length === 0) return;
    // However late it is by now, each turn does something.
    this.#doNext();
    this.#goOn();
  }

  #goOn(): void {
    while (this.#takenCount < this.#queue.length && this.#clock.measureMs() < this.#endMs) this.#doNext();
    if (this.#takenCount * 2 < this.#queue.length) return;
    // Under lasting load the queue is never empty.
    this.#queue.splice(0, this.#takenCount);
    this.#takenCount = 0;
  }

  #doNext(): void {
    const work = this.#queue[this.#takenCount] as Work;
    this.#takenCount += 1;
    if (work() === 'again') this.#queue.push(work);
  }
}
