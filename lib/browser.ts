/** The public API for browsers: the lock client over WebSocket, without anything that needs Node. */

export type { ClientOptions, LockClientBase, LockClientEvents } from './client/base-client.ts';
export { type BrowserClientOptions, LockClient } from './client/browser-client.ts';
export type { ClientState } from './client/client-life.ts';
export type { ReconnectOptions } from './client/connection-keeper.ts';
export type { EventStream } from './client/event-stream.ts';
export type { TermOptions } from './client/leader-terms.ts';
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
} from './client/lock-error.ts';
export { LockHandle } from './client/lock-handle.ts';
export type {
  DeadlockStep,
  ListOptions,
  LockHolder,
  LockInformation,
  LockPage,
  LockWaiter,
  NamedLockHolder,
  ServerStatistics,
} from './client/lock-information.ts';
export type {
  HoldOptions,
  LockAllOptions,
  LockItem,
  LockMode,
  LockModeOptions,
  LockOptions,
  NestedLockOptions,
  NestedTryLockOptions,
  TryLockOptions,
  WaitOptions,
} from './client/lock-options.ts';
export { LockSet } from './client/lock-set.ts';
export type { WebLock } from './client/web-lock.ts';
export type { WebLockMode, WebLockOptions } from './client/web-lock-options.ts';
export type { WebLockInfo, WebLockSnapshot } from './client/web-lock-snapshot.ts';
export type { WebLockCallback, WebLockManager } from './client/web-locks.ts';
export type { ByteSink, ByteStream, Dialer } from './message/byte-stream.ts';
export {
  type ConnectOptions,
  MessageClient,
  type MessageClientEvents,
  type MessageClientOptions,
  type RpcOptions,
  type RpcResult,
  type ServerEvent,
} from './message/message-client.ts';
export { MessageError, type MessageErrorCode } from './message/message-error.ts';
export {
  type DialWebSocketOptions,
  dialWebSocket,
  type WebSocketClass,
  type WebSocketLike,
} from './transports/dial-web-socket.ts';
