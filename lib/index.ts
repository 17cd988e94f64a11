/** The public API. */

export type { ClientOptions, LockClientBase, LockClientEvents } from './client/base-client.ts';
export type { ClientState } from './client/client-life.ts';
export type { ReconnectOptions } from './client/connection-keeper.ts';
export type { EventStream } from './client/event-stream.ts';
export type { TermOptions } from './client/leader-terms.ts';
export { LockClient, type LockClientOptions } from './client/lock-client.ts';
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
export type { ByteSink, ByteStream, Dialer, Listener, ListenerEvents } from './message/byte-stream.ts';
export type { CommandDefinition, CommandTable } from './message/command-table.ts';
export { consoleLogger, type Logger } from './message/logger.ts';
export {
  type ConnectOptions,
  MessageClient,
  type MessageClientEvents,
  type MessageClientOptions,
  type RpcOptions,
  type RpcResult,
  type ServerEvent,
} from './message/message-client.ts';
export type { MessageConnection } from './message/message-connection.ts';
export type { MessageCounters } from './message/message-counters.ts';
export { MessageError, type MessageErrorCode } from './message/message-error.ts';
export { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from './message/message-limits.ts';
export { type ListenOptions, MessageServer, type MessageServerOptions } from './message/message-server.ts';
export { type MessageId, MessageSession } from './message/message-session.ts';
export { PendingResult } from './message/pending-result.ts';
export type { ProtocolService } from './message/protocol-service.ts';
export type { Dialect } from './server/line-dialects.ts';
export {
  DEFAULT_LOCK_SERVER_LIMITS,
  type LockListenOptions,
  LockServer,
  type LockServerLimits,
  type LockServerOptions,
} from './server/lock-server.ts';
export { type DialWebSocketOptions, dialWebSocket } from './transports/dial-web-socket-node.ts';
export { dialTcp, type TcpListener, type TcpListenerOptions, tcp } from './transports/tcp.ts';
export type { DialTlsOptions, TlsFiles } from './transports/tls.ts';
export { dialUnix, type UnixListenerOptions, unix } from './transports/unix.ts';
export { type WebSocketListenerOptions, webSocket } from './transports/websocket.ts';
export type { Protocol } from './wire/detect.ts';
export { RequestError } from './wire/errors.ts';
export { STATUSES, type Status } from './wire/statuses.ts';
