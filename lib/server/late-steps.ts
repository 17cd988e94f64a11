/** Steps that are taken once something is on record, or in their turn: a fault in one is logged, and does not end the process. */

import type { Logger } from '../message/logger.ts';
import { TurnBudget } from '../message/scheduler.ts';

export class LateSteps {
  readonly #logger: Logger;
  /** A client comes back in one step, which takes long where it held thousands of locks. Others are served between two of them. */
  readonly #returns = new TurnBudget();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  whenDone(recorded: Promise<void>, succeeded: () => void, failed: (error: Error) => void): void {
    recorded.then(succeeded, failed).catch((error: unknown) => this.#logFault(error));
  }

  inTurn(step: () => void): void {
    this.#returns.add(() => {
      try {
        step();
      } catch (error) {
        this.#logFault(error);
      }
    });
  }

  #logFault(error: unknown): void {
    this.#logger.error({ err: error }, 'a client could not be answered once its request was on record');
  }
}
