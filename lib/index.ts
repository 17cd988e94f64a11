/// <reference lib="esnext.disposable" preserve="true" />
/// <reference types="node" preserve="true" />
/** The public API. */

export type { LockDiagnostics, TracedHold, TracedRequest } from './client/client-diagnostics.ts';
export { LockClient, type LockClientOptions } from './client/lock-client.ts';
export * from './client/portable.ts';
export { FullLockServer as LockServer, type LockListenOptions, type Protocol } from './foreign/full-lock-server.ts';
export { line } from './foreign/line/line.ts';
export type { Dialect } from './foreign/line/line-dialects.ts';
export { prefixed } from './foreign/prefixed/prefixed.ts';
export { HistoryFiles, type HistoryFilesOptions } from './history/history-files.ts';
export { LockHistory, type LockHistoryOptions, type RecordKeeper } from './history/lock-history.ts';
export { LongWaits } from './history/long-waits.ts';
export type { Listener, ListenerEvents } from './message/byte-stream.ts';
export type { CommandDefinition, CommandTable } from './message/command-table.ts';
export { consoleLogger, type Logger } from './message/logger.ts';
export type { MessageConnection } from './message/message-connection.ts';
export type { MessageCounters } from './message/message-counters.ts';
export { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from './message/message-limits.ts';
export { MessageServer, type MessageServerOptions } from './message/message-server.ts';
export { type MessageId, MessageSession } from './message/message-session.ts';
export { PendingResult } from './message/pending-result.ts';
export type { ListenOptions, ProtocolService, ServedProtocol } from './message/protocol.ts';
export type { ConnectionRefusalReason, Refusal, RefusalCause } from './message/refusals.ts';
export type { HistoryPageLimits, HistoryQuery, HistorySource } from './server/history-source.ts';
export type { ClusterView } from './server/lead.ts';
export type {
  Intervention,
  LockObserver,
  ObservedClaim,
  ObservedClient,
  ObservedLock,
  ObservedRefusal,
  ObservedSession,
  RefusedRequest,
} from './server/lock-observer.ts';
export type { LockProtocol, LockProtocolPlug, LockServerParts } from './server/lock-protocol.ts';
export { DEFAULT_LOCK_SERVER_LIMITS, type LockServerLimits } from './server/lock-server-limits.ts';
export type { LockServerOptions } from './server/lock-server-options.ts';
export { type DialWebSocketOptions, dialWebSocket } from './transports/dial-web-socket-node.ts';
export { dialTcp, type ListenerChanges, type TcpListener, type TcpListenerOptions, tcp } from './transports/tcp.ts';
export type { DialTlsOptions, TlsFiles } from './transports/tls.ts';
export { dialUnix, type UnixListenerOptions, unix } from './transports/unix.ts';
export { type WebSocketListenerOptions, webSocket } from './transports/websocket.ts';
export { RequestError } from './wire/errors.ts';
export { STATUSES, type Status } from './wire/statuses.ts';
