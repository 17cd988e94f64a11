/** Ends the sessions of a client for an operator, and tells of it. */

import type { QuietLog } from '../message/quiet-log.ts';
import type { KillParameters } from './lock-commands.ts';
import type { ObservedClient } from './lock-observer.ts';
import type { LockObservers } from './lock-observers.ts';
import { invalidParameters, type Refusal } from './lock-requests.ts';
import type { LockServerSession } from './session.ts';

/** The clients that an operator means: by one of the two keys that `who` and `inspect` tell. */
export interface MeantClients {
  /** For people: the address or the name. */
  readonly text: string;
  isMeant(client: ObservedClient): boolean;
}

/** Finds out which clients are meant, or refuses parameters that name none. */
export function meantClients({ address, name }: KillParameters): MeantClients | Refusal {
  if (address !== undefined && name === undefined)
    return { text: address, isMeant: (client) => client.address === address };
  if (name !== undefined && address === undefined)
    return { text: name, isMeant: ({ clientName }) => clientName === name };
  const given = address === undefined ? 'neither address nor name' : 'both address and name';
  return invalidParameters(`parameters has ${given}; expected one of them`);
}

/** Logs who ended sessions, and tells the observers. */
export function tellKilled(
  log: QuietLog,
  observers: LockObservers,
  { by, killed, count }: { readonly by: LockServerSession; readonly killed: string; readonly count: number },
): void {
  if (count === 0) return;
  const client = { name: by.clientName, address: by.address };
  log.tell({
    level: 'warn',
    topic: 'kill',
    key: killed,
    details: { by: 'kill', client, killed, count },
    message: 'the sessions of a client were ended by an operator',
    leftOut: (times) => ({
      details: { by: 'kill', times, client, killed },
      message: `${times} more times within a minute sessions were ended by operators, the last time by ${client.address}`,
    }),
  });
  observers.intervened({ by: 'kill', client: by, killed, count });
}
