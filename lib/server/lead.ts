/** What a server does where several share its ledger, and it leads the others. */

import type { Ledger } from '../ledger/ledger.ts';
import type { Logger } from '../message/logger.ts';
import { PendingResult } from '../message/pending-result.ts';
import type { LockServerSession } from './session.ts';

/** Tells of the servers of a cluster. */
export interface ClusterView {
  /** The answer to `cluster` but for its status: a `ClusterInformation`. */
  describe(): object | Promise<object>;
}

/** Whether this server leads others, and answers that must wait until that is certain. */
export class Lead {
  readonly #ledger: Ledger | undefined;
  readonly #view: ClusterView | undefined;
  readonly #logger: Logger;

  constructor(ledger: Ledger | undefined, view: ClusterView | undefined, logger: Logger) {
    this.#ledger = ledger;
    this.#view = view;
    this.#logger = logger;
  }

  /** Whether another server could lead instead. */
  get isClustered(): boolean {
    return this.#ledger?.confirmLead !== undefined;
  }

  /** The answer to `cluster`. */
  describe(): object | Promise<object> {
    const described = this.#view?.describe() ?? NOT_CLUSTERED;
    return described instanceof Promise ? described.then(withStatus) : withStatus(described);
  }

  /**
   * C3: gives an answer by which a client trusts its session, once the ledger has confirmed that this server still leads: one whose
   * machine stood still does not know better. When the ledger does not confirm, the connection closes without an answer. What comes
   * behind a request that `isOrdered` waits for it.
   */
  confirmed<Result extends object>(
    session: LockServerSession,
    isOrdered: boolean,
    answer: () => Result | PendingResult<Result>,
  ): Result | PendingResult<Result> {
    const asked = this.#ledger?.confirmLead?.();
    if (asked === undefined) return answer();
    const { connection } = session;
    const confirmed = new PendingResult<Result>(isOrdered);
    const settle = (): void => {
      // A session may not go on with a connection that is gone.
      if (connection.isClosed) return;
      const result = answer();
      if (result instanceof PendingResult) result.whenSettled((settled) => confirmed.settle(settled));
      else confirmed.settle(result);
    };
    asked
      .then(settle, () => connection.destroy())
      .catch((error: unknown) =>
        this.#logger.error({ err: error }, 'a client could not be answered once the lead was confirmed'),
      );
    return confirmed;
  }
}

const NOT_CLUSTERED = Object.freeze({ status: 'unavailable', reason: 'notClustered' });

function withStatus(described: object): object {
  return { status: 'ok', ...described };
}
