/** A further protocol that plugs into a lock server. */

import type { MessageLimits } from '../message/message-limits.ts';
import type { Request } from '../message/message-router.ts';
import type { PagedWork } from '../message/paged-work.ts';
import type { ServedProtocol } from '../message/protocol.ts';
import type { OnRefused } from './command-refusals.ts';
import type { LockManager, PageLimits } from './lock-manager.ts';
import type { TextLimits } from './lock-requests.ts';
import type { NameRegistry } from './name-registry.ts';
import type { LockServerSession } from './session.ts';

/** The parts of a lock server that its protocols share. */
export interface LockServerParts {
  readonly manager: LockManager;
  readonly registry: NameRegistry;
  readonly limits: MessageLimits & PageLimits & TextLimits;
  /** Does the listings of all clients. */
  readonly pagedWork: PagedWork;
  /** Whether clients may ask who holds what. */
  readonly isDumpOn: boolean;
  /** Whether clients may register names. */
  readonly isRegistryOn: boolean;
  /** Counts the connections of all protocols. */
  readonly countConnections: () => number;
  /** Called for refused commands, by protocols whose replies give no reason. */
  readonly onRefused: OnRefused<LockServerSession>;
}

/** One protocol of a lock server. */
export interface LockProtocol extends ServedProtocol<LockServerSession> {
  /** Serves a message of ours without an id or `parameters`; returns false if it is not one of this protocol. */
  answerBare?(session: LockServerSession, message: Request): boolean;
}

/** Makes the protocol for one server. */
export type LockProtocolPlug = (parts: LockServerParts) => LockProtocol;
