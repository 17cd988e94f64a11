/** The one table of statuses: what a reply can say, and what each means. The documents repeat it. */

/** Every status with its meaning. */
export const STATUSES = {
  ok: 'The command was carried out.',
  timeout: 'The wait limit was over before the lock could be granted. Nothing is held.',
  unavailable:
    'A try-lock would have had to wait, for holders or behind waiters. With a `reason`, the server grants nothing for now (`grace`), or nothing to this session (`ledger`).',
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
  internal: 'The server failed while it carried out the command; the cause is in its log.',
} as const;

/** What the `status` of a reply can be. */
export type Status = keyof typeof STATUSES;

/** What the `status` of an error reply can be. */
export type ErrorStatus = 'invalid' | 'limit' | 'internal';
