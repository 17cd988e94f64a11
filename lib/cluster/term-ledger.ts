/** The ledger as the server of a term has it. */

import type { Ledger } from '../ledger/ledger.ts';
import type { Term } from './term.ts';

/**
 * The same ledger, but once the term is replaced it saves no planned stop: the next leader awaits the sessions, and the write
 * would never be answered, so the server would never be closed.
 */
export function ledgerOfTerm(ledger: Ledger, term: Term): Ledger {
  const { lineage, isDurable, tokens, sessions, savedStop } = ledger;
  return {
    lineage,
    isDurable,
    tokens,
    sessions,
    savedStop: {
      save: async (state) => {
        if (!term.replaced.aborted) await term.unlessReplaced(savedStop.save(state));
      },
      take: () => savedStop.take(),
    },
    confirmLead: () => ledger.confirmLead?.() ?? Promise.resolve(),
    close: () => ledger.close(),
  };
}
