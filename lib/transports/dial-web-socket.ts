/** Connects by the standard WebSocket, which browsers and other platforms have. Needs nothing from Node. */

import type { ByteSink, ByteStream, Completeness, Dialer, StreamEncoding } from '../message/byte-stream.ts';
import { startTimeout } from '../message/timeout.ts';

/** The part of the standard WebSocket that is used here. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'error', listener: (event: object) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
  /** Closes at once. The standard lacks this, but other implementations have it. */
  terminate?(): void;
  /** Sets whether the open connection keeps the process alive. The standard lacks this too. */
  setReferenced?(isReferenced: boolean): void;
}

/** A WebSocket class: the global `WebSocket` of browsers and of Node from 22 on, or the one of the package `ws`. */
export type WebSocketClass = new (url: string) => WebSocketLike;

/** Where the server is, and the class that opens the connection. */
export interface DialWebSocketOptions {
  /** Begins with `ws://`, or with `wss://` for TLS. */
  readonly url: string | URL;
  /** The global `WebSocket` by default. */
  readonly WebSocket?: WebSocketClass | undefined;
}

/**
 * Connects by WebSocket: each write is a frame, and each frame a message.
 * @throws TypeError when `url` is not a WebSocket URL, or when no `WebSocket` is global and none is given.
 */
export function dialWebSocket(options: DialWebSocketOptions): Dialer {
  const url = webSocketUrl(options.url);
  const WebSocket = options.WebSocket ?? (globalThis as { readonly WebSocket?: WebSocketClass }).WebSocket;
  if (WebSocket === undefined)
    throw new TypeError('WebSocket is undefined; expected a class, since none is global here');
  return (signal) => open(() => new WebSocket(url), url, signal);
}

/** Checks the URL and returns it in its standard form. @throws TypeError when it is not a WebSocket URL. */
export function webSocketUrl(given: string | URL): string {
  const text = String(given);
  const expected = 'expected one that begins with ws:// or wss:// and has no fragment';
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new TypeError(`url is ${JSON.stringify(text)}; ${expected}`, { cause });
  }
  if (!/^wss?:$/.test(url.protocol) || url.hash !== '') {
    throw new TypeError(`url is ${JSON.stringify(text)}; ${expected}`);
  }
  return url.href;
}

function open(make: () => WebSocketLike, url: string, signal: AbortSignal): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = make();
    const stream = new DialledStream(socket, url);
    const abort = (): void => {
      stream.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', abort);
      reject(error);
    };
    socket.addEventListener('open', () => {
      signal.removeEventListener('abort', abort);
      resolve(stream);
    });
    socket.addEventListener('error', (event) => fail(causeOf(event) ?? notOpened(url)));
    socket.addEventListener('close', () => fail(notOpened(url)));
  });
}

/** Browsers hide the reason from pages, so that no page can explore a network. */
function notOpened(url: string): Error {
  return new Error(`no connection to ${url}: nobody listens there, or the server does not take this page's origin`);
}

/** Outside browsers, the error event has the cause. */
function causeOf(event: object): Error | undefined {
  const error: unknown = 'error' in event ? event.error : undefined;
  return error instanceof Error ? withText(error) : undefined;
}

const NORMAL_CLOSURE = 1000;
const NO_CODE = 1005;
const EXPLANATIONS: Readonly<Record<number, string>> = {
  1001: 'the server is going away',
  1002: 'the server could not understand a frame',
  1006: 'the connection broke',
  1009: 'a message was too long for the server',
  1011: 'the server failed',
};

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

/** How often to check whether everything was sent, since the standard has no event for it. */
const DRAIN_CHECK_MS = 50;

/** One connection as a stream: each incoming frame is a line, and each write is a frame. */
class DialledStream implements ByteStream {
  readonly peer: string;
  readonly isFramed = true;
  readonly #socket: WebSocketLike;
  readonly #encoder = new TextEncoder();
  /** Events that arrived before `start`. */
  readonly #early: ((sink: ByteSink) => void)[] = [];
  #sink: ByteSink | undefined;
  #state: 'open' | 'closed' = 'open';
  #failure: Error | undefined;
  /** The start of a frame that the next write continues. */
  #partial = '';

  constructor(socket: WebSocketLike, url: string) {
    this.#socket = socket;
    this.peer = url;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => this.#tell((sink) => sink.data(this.#asLine(data))));
    socket.addEventListener('error', (event) => {
      this.#failure = causeOf(event);
    });
    socket.addEventListener('close', ({ code, reason }) => this.#close(this.#failure ?? closeError(code, reason)));
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  start(sink: ByteSink): void {
    this.#sink = sink;
    for (const tell of this.#early.splice(0)) tell(sink);
  }

  /** Sends text in a text frame and bytes in a binary frame, since a text frame must be valid UTF-8. */
  write(text: string, encoding: StreamEncoding, completeness: Completeness = 'complete'): void {
    this.#partial += text;
    if (completeness === 'continued') return;
    const frame = this.#partial.endsWith('\n') ? this.#partial.slice(0, -1) : this.#partial;
    this.#partial = '';
    this.#socket.send(encoding === 'utf8' ? frame : Uint8Array.from(frame, (unit) => unit.charCodeAt(0)));
  }

  whenDrained(callback: () => void): void {
    const look = (): void => {
      if (this.#state === 'closed') return;
      if (this.#socket.bufferedAmount === 0) callback();
      else startTimeout(DRAIN_CHECK_MS, look, 'background');
    };
    queueMicrotask(look);
  }

  /** The standard cannot pause a connection, so the reader must keep the frames that arrive meanwhile. */
  pause(): void {}

  resume(): void {}

  setReferenced(isReferenced: boolean): void {
    this.#socket.setReferenced?.(isReferenced);
  }

  end(): void {
    this.#socket.close(NORMAL_CLOSURE);
  }

  /** Tells the reader at once, although a browser still waits for the server to close. */
  destroy(): void {
    if (this.#state === 'closed') return;
    if (this.#socket.terminate === undefined) this.#socket.close();
    else this.#socket.terminate();
    queueMicrotask(() => this.#close(undefined));
  }

  #close(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#tell((sink) => sink.closed(error));
    this.#state = 'closed';
  }

  #tell(event: (sink: ByteSink) => void): void {
    if (this.#state === 'closed') return;
    if (this.#sink === undefined) this.#early.push(event);
    else event(this.#sink);
  }

  /** Turns a frame into one line. Line breaks within it are only white space, so they become spaces. */
  #asLine(data: unknown): Uint8Array {
    const frame = typeof data === 'string' ? this.#encoder.encode(data) : new Uint8Array(data as ArrayBuffer);
    const line = new Uint8Array(frame.length + 1);
    line.set(frame.map((byte) => (byte === NEWLINE || byte === CARRIAGE_RETURN ? SPACE : byte)));
    line[frame.length] = NEWLINE;
    return line;
  }
}

function closeError(code: number, reason: string): Error | undefined {
  if (code === NORMAL_CLOSURE || code === NO_CODE) return undefined;
  const explanation = EXPLANATIONS[code] ?? 'see RFC 6455';
  return new Error(`the WebSocket was closed with code ${code}, ${explanation}${reason === '' ? '' : `: ${reason}`}`);
}

/**
 * Fills in an empty message. When a name has several addresses, the system's error has no message of its own, only one
 * for each failed attempt.
 */
export function withText<Failure extends Error>(error: Failure): Failure {
  if (error.message === '' && error instanceof AggregateError) {
    error.message = error.errors
      .map((each: unknown) => (each instanceof Error ? each.message : String(each)))
      .join('; ');
  }
  return error;
}
