/** Sessions that outlive their connections, as a client without a library sees them. */

import type { SessionList } from '../../lib/ledger/ledger.ts';
import { MemoryLedger, NO_SESSIONS } from '../../lib/ledger/memory-ledger.ts';
import type { Logger } from '../../lib/message/logger.ts';
import type { LockServerLimits } from '../../lib/server/lock-server-limits.ts';
import type { Message, RawClient } from '../server/raw-client.ts';
import { startServer } from '../server/running-server.ts';

/** What the server says of a session. */
export interface Told {
  readonly state: string;
  readonly id: string;
  readonly secret: string;
  readonly timeout: number;
}

/** Long enough for nothing to expire within a test. */
export const LIMITS = { minSessionTimeoutMs: 1, maxSessionTimeoutMs: 3_600_000, maxSuspendedSessions: 3 } as const;

export async function open(client: RawClient, timeout = 20): Promise<Told> {
  return (await client.ask('hello', { protocol: 1, session: { timeout } })).session as Told;
}

/** Resumes a session with what the client has; returns what the server says of it. */
export async function resume(client: RawClient, { id, secret }: Told, has: object = {}): Promise<Message> {
  return (await client.ask('hello', { protocol: 1, session: { id, secret, ...has } })).session as Message;
}

/** Starts a server that records its sessions on this list. */
export function startWithList(
  list: Partial<SessionList>,
  logger?: Logger,
  limits: Partial<LockServerLimits> = {},
): ReturnType<typeof startServer> {
  const ledger = Object.assign(new MemoryLedger(0), { sessions: { ...NO_SESSIONS, ...list } });
  return startServer({ ...LIMITS, ...limits }, logger, { ledger });
}
