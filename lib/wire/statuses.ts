/** The tables of statuses and of their reasons: what a reply can say, and what each means. The documents repeat them. */

/** Every status with its meaning. */
export const STATUSES = {
  ok: 'The command was carried out.',
  timeout: 'The wait limit was over before the lock could be granted. Nothing is held.',
  unavailable:
    'A try-lock would have had to wait, for holders or behind waiters. With a `reason`, the server cannot do that for now, whatever the lock.',
  cancelled:
    'The waiting request was ended by `cancel`, `unlock`, `unlockAll` or the end of its session; a `lockAll` also by the loss of a hold that it counted on.',
  deadlock:
    'The request could never be granted: its owner and others, each with a tag, would wait for each other in a circle.',
  notHeld: 'There was nothing to unlock: the session neither holds the lock nor waits for it, or a key does not fit.',
  invalid:
    'The request cannot be understood or contradicts itself; `message` names the field, its value and what was expected.',
  unknownCommand: 'The server has no such command.',
  limit: 'A limit of the server forbids it; `limit` names the setting and `value` tells its value.',
  denied: 'The server is set not to allow it.',
  draining: 'The server is about to stop and grants no further lock.',
  elsewhere:
    'Another server leads the cluster; `address` tells where it is. Only in answer to a `hello` with `redirect`.',
  internal: 'The server failed while it carried out the command; the cause is in its log.',
} as const;

/** Every `reason` of `unavailable` with its meaning. */
export const UNAVAILABLE_REASONS = {
  grace: 'The server was started again and waits for the sessions of before; until then it grants nothing.',
  ledger: 'The server cannot record the session, so it grants it nothing.',
  noLeader: 'No server leads the cluster, or this one does not know which.',
  noQuorum: 'The server has lost touch with etcd, which decides who leads the cluster.',
  notJoined: 'The server has not joined the cluster yet, or may not: its log says why.',
  setBack: 'The data in etcd are not those of before, so the server does nothing until an operator has seen to it.',
  notClustered: 'The server is not one of several.',
} as const;

/** What the `reason` of `unavailable` can be. */
export type UnavailableReason = keyof typeof UNAVAILABLE_REASONS;

/** What the `status` of a reply can be. */
export type Status = keyof typeof STATUSES;

/** What the `status` of an error reply can be. */
export type ErrorStatus = 'invalid' | 'limit' | 'internal';
