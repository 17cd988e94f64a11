/** What a mistake for a copy of the build is. */

import type { FaultKind } from '../faults.ts';

/** A change of one built file. */
export interface PlantedChange {
  /** Below `dist/lib`. */
  readonly file: string;
  /** Is there once. */
  readonly find: string;
  readonly replace: string;
}

export interface PlantedBug extends PlantedChange {
  readonly name: string;
  /** The rule that it breaks: of docs/guarantees.md, or of the lock table. */
  readonly rule: string;
  /** In another file: where two rules guard against the same, either mistake alone does no harm. */
  readonly also?: PlantedChange;
  /** How the violations begin by which it is noticed. Others may come of a busy machine. */
  readonly shows: readonly string[];
  /** The faults that matter to it. */
  readonly only: readonly FaultKind[];
  /** How often each of them comes; three times if undefined. */
  readonly rounds?: number;
  /** Of a bug of a cluster: the lease of its servers. Overlaps grow with it. */
  readonly leaseSeconds?: number;
}
