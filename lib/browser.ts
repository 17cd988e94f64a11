/// <reference lib="esnext.disposable" preserve="true" />
/** The public API for browsers: the lock client over WebSocket, without anything that needs Node. */

export { type BrowserClientOptions, LockClient } from './client/browser-client.ts';
export * from './client/portable.ts';
export {
  type DialWebSocketOptions,
  dialWebSocket,
  type WebSocketClass,
  type WebSocketLike,
} from './transports/dial-web-socket.ts';
