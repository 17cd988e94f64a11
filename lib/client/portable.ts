/** The exports that the entries for Node and for browsers share: the client, without the ways to reach a server. */

export type { ByteSink, ByteStream, Dialer } from '../message/byte-stream.ts';
export {
  type ConnectOptions,
  MessageClient,
  type MessageClientEvents,
  type MessageClientOptions,
  type RpcOptions,
  type RpcResult,
  type ServerEvent,
} from '../message/message-client.ts';
export { MessageError, type MessageErrorCode } from '../message/message-error.ts';
export type {
  ClusterInformation,
  ClusterNode,
  DeadlockStep,
  HistoryKind,
  HistoryPage,
  HistoryReason,
  HistoryRecord,
  LockHolder,
  LockInformation,
  LockMode,
  LockPage,
  LockWaiter,
  NamedLockHolder,
  ServerStatistics,
  TokenStanding,
} from '../protocol.ts';
export type { ClientState, LockClientEvents } from './connection-keeper.ts';
export type { EventStream } from './event-stream.ts';
export type { HistoryOptions } from './history-options.ts';
export type { TermOptions } from './leader-terms.ts';
export type { LockClientBase } from './lock-client-base.ts';
export {
  LockCancelledError,
  LockClosedError,
  LockDeadlockError,
  LockDeniedError,
  LockDrainingError,
  LockError,
  type LockErrorCode,
  LockInvalidError,
  LockLimitError,
  type LockLostCode,
  LockLostError,
  LockTimeoutError,
  LockUnreachableError,
} from './lock-error.ts';
export { LockHandle } from './lock-handle.ts';
export { LockSet } from './lock-set.ts';
export type {
  ClientOptions,
  HoldOptions,
  ListOptions,
  LockAllOptions,
  LockItem,
  LockModeOptions,
  LockOptions,
  NestedLockOptions,
  NestedTryLockOptions,
  ReconnectOptions,
  TryLockOptions,
  WaitOptions,
} from './options.ts';
export type { SessionKey } from './session-life.ts';
export type { WebLock, WebLockMode, WebLockOptions } from './web-locks/web-lock.ts';
export type { WebLockCallback, WebLockInfo, WebLockManager, WebLockSnapshot } from './web-locks/web-lock-manager.ts';
