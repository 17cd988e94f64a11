/** The options of a lock server. */

import type { Ledger } from '../ledger/ledger.ts';
import type { MessageServerOptions } from '../message/message-server.ts';
import type { HistorySource } from './history-source.ts';
import type { ClusterView } from './lead.ts';
import type { LockManager } from './lock-manager.ts';
import type { LockObserver } from './lock-observer.ts';
import type { LockProtocolPlug } from './lock-protocol.ts';
import type { LockServerLimits } from './lock-server-limits.ts';

/** The names of the options of a lock server. */
export const LOCK_SERVER_OPTIONS: readonly string[] = [
  'limits',
  'logger',
  'manager',
  'ledger',
  'dump',
  'registry',
  'forceUnlock',
  'protocols',
  'cluster',
  'observers',
  'history',
];

/** The names of the options of its listeners. */
export const LOCK_LISTEN_OPTIONS: readonly string[] = ['protocols', 'proxied', 'admin', 'dialect'];

/** The options of a lock server. */
export interface LockServerOptions extends Omit<MessageServerOptions, 'commands' | 'limits' | 'refusalReasons'> {
  readonly limits?: Partial<LockServerLimits>;
  /** Keeps the locks; by default they live in this process. */
  readonly manager?: LockManager;
  /**
   * What outlives the process; nothing by default. Only without a `manager`. The caller closes it after the server, and
   * must end the process when the ledger fails.
   */
  readonly ledger?: Ledger;
  /**
   * Whether clients may ask who is there and who holds which lock (`list`, `inspect`, `history`, `survey`, `watch`, `d`, `sd`, `dump`); true by
   * default.
   */
  readonly dump?: boolean;
  /** Whether clients may register names and ask for those of other clients; true by default. */
  readonly registry?: boolean;
  /**
   * Whether any client may take locks away from others (`forceUnlock`, `kill`, and `steal` of any lock); false by default. Clients of
   * listeners marked `admin` may use `forceUnlock` and `kill` without.
   */
  readonly forceUnlock?: boolean;
  /** Protocols to serve beside newline-delimited JSON. */
  readonly protocols?: readonly LockProtocolPlug[];
  /** Tells of the servers of which this one is the leader; only where several share the ledger. */
  readonly cluster?: ClusterView;
  /** Are told what happens to locks and sessions; nobody by default. */
  readonly observers?: readonly LockObserver[];
  /** Answers `history`, which is denied without. To know something it must be among the `observers`. */
  readonly history?: HistorySource;
}
