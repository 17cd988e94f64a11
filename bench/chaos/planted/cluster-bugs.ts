/** Mistakes that only a cluster can make. */

import type { PlantedBug } from './planted-bug.ts';

export const CLUSTER_BUGS: readonly PlantedBug[] = [
  {
    name: 'a leader answers when its lease is over',
    rule: 'C1',
    file: 'cluster/fence.js',
    find: 'leaseMs - Math.max(LEAST_MARGIN_MS, leaseMs * MARGIN_SHARE)',
    replace: '3_600_000',
    shows: ['two holders'],
    only: ['leader cut off from etcd for long'],
    leaseSeconds: 2,
  },
  {
    // C3 alone keeps clients safe that trust confirmed answers only.
    name: 'grace does not wait for the lease of the leader before, and clients trust any answer',
    rule: 'C2',
    file: 'ledger/etcd/etcd-sessions.js',
    find: 'this.extraWaitMs = leaseMs;',
    replace: 'this.extraWaitMs = 0;',
    also: {
      file: 'client/session-deadline.js',
      find: 'if (this.isClustered && !this.#isPinging)',
      replace: 'if (false)',
    },
    shows: ['two holders'],
    only: ['leader key deleted unseen'],
    rounds: 6,
    leaseSeconds: 4,
  },
  {
    name: 'a grant is confirmed before the session is on record',
    rule: 'L2',
    file: 'server/session-keeper.js',
    find: 'if (kept === undefined || recorded === undefined)',
    replace: 'if (kept !== recorded || recorded === undefined)',
    shows: ['lost by no fault', 'two holders'],
    only: ['leader killed while etcd hears nothing'],
    rounds: 12,
    leaseSeconds: 2,
  },
  {
    name: 'the tokens of a leader begin at its clock',
    rule: 'L1',
    file: 'ledger/etcd/etcd-ledger.js',
    find: 'Math.max(found.reserved, clock)',
    replace: 'clock',
    shows: ['two holders', 'the token'],
    only: ['leader killed', 'leader told to step down'],
    leaseSeconds: 2,
  },
  {
    name: 'a late answer of the leader before counts as a fresh one',
    rule: 'S4',
    file: 'client/session-deadline.js',
    find: 'this.#confirm(probe.sent);',
    replace: 'this.#confirm(thisMoment());',
    shows: ['two holders'],
    only: ['leader replaced and replies late'],
    rounds: 6,
    leaseSeconds: 4,
  },
];
