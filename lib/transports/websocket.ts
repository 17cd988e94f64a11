/** WebSocket: listening. A frame is one message or one line command, and each answer is a frame. */

import { isUtf8 } from 'node:buffer';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ByteSink, ByteStream, Completeness, ListenerEvents, StreamEncoding } from '../message/byte-stream.ts';
import { startTimeout } from '../message/timeout.ts';
import { formatAddress } from './address.ts';
import { AllowedTcpListener, type TcpListener, type TcpListenerOptions } from './tcp.ts';
import { handshakeTimeoutOf } from './tls.ts';

/** Where to listen and for whom. */
export interface WebSocketListenerOptions extends TcpListenerOptions {
  /** Origins of the pages that may connect, such as `https://intranet.example`. Programs that send none may, too. */
  readonly origins: readonly string[];
  /** Names by which the server may be called, beside `localhost` and IP addresses. */
  readonly hosts: readonly string[];
  /** The longest frame that is taken, in bytes. */
  readonly maxMessageBytes: number;
}

/**
 * Listens for WebSocket connections. The allow-list is asked first, then `Origin` and `Host`: a page that is not listed
 * cannot connect, nor one that has another name point to this machine.
 * @throws as `tcp` does.
 */
export function webSocket(options: WebSocketListenerOptions): TcpListener {
  const upgrader = new Upgrader(options);
  return new AllowedTcpListener(
    options,
    (socket, address, events) => upgrader.admit(socket, address, events),
    () => upgrader.close(),
  );
}

/** An HTTP server that only knows how to upgrade. It is given its connections. */
class Upgrader {
  readonly #options: WebSocketListenerOptions;
  readonly #handshakeTimeoutMs: number;
  readonly #server: Server = createServer();
  readonly #upgrades: WebSocketServer;
  /** Connections that have not been upgraded. */
  readonly #admitted = new Map<Socket, { readonly peer: string; readonly events: ListenerEvents }>();

  constructor(options: WebSocketListenerOptions) {
    this.#options = options;
    this.#handshakeTimeoutMs = handshakeTimeoutOf(options);
    this.#upgrades = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: options.maxMessageBytes,
    });
    this.#server.on('request', (_request, response) => {
      response.writeHead(426, { connection: 'close', upgrade: 'websocket' }).end();
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      this.#upgrade(request, socket, head);
    });
  }

  admit(socket: Socket, address: string, events: ListenerEvents): void {
    this.#admitted.set(socket, { peer: formatAddress(address, socket.remotePort ?? 0), events });
    // The server's own time-outs begin when it listens, which this one never does.
    const stopTimeout = startTimeout(this.#handshakeTimeoutMs, () => {
      if (this.#admitted.has(socket)) socket.destroy();
    });
    socket.on('close', () => {
      stopTimeout();
      this.#admitted.delete(socket);
    });
    this.#server.emit('connection', socket);
  }

  close(): void {
    for (const socket of this.#admitted.keys()) socket.destroy();
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { origins, hosts } = this.#options;
    const admitted = this.#admitted.get(socket);
    if (!isOriginAllowed(request.headers.origin, origins) || !isHostAllowed(request.headers.host, hosts)) {
      socket.on('error', () => {});
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n', () => socket.destroy());
    } else if (admitted !== undefined) {
      this.#upgrades.handleUpgrade(request, socket, head, (connection) => {
        this.#admitted.delete(socket);
        admitted.events.accepted(new WebSocketStream(connection, socket, admitted.peer));
      });
    }
  }
}

/** Programs send no origin; `null`, which any page can obtain, is never listed. */
function isOriginAllowed(origin: string | undefined, origins: readonly string[]): boolean {
  return origin === undefined || (origin !== 'null' && origins.includes(origin));
}

function isHostAllowed(host: string | undefined, hosts: readonly string[]): boolean {
  const name = (host ?? '')
    .toLowerCase()
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1');
  return isIP(name) !== 0 || name === 'localhost' || hosts.some((each) => each.toLowerCase() === name);
}

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const NORMAL_CLOSURE = 1000;

/** One WebSocket connection as a stream: each frame that comes is a line, each write a frame. */
class WebSocketStream implements ByteStream {
  readonly peer: string;
  readonly isFramed = true;
  /** A message was begun and not ended. */
  #isContinuing = false;
  readonly #connection: WebSocket;
  readonly #socket: Socket;

  constructor(connection: WebSocket, socket: Socket, peer: string) {
    this.#connection = connection;
    this.#socket = socket;
    this.peer = peer;
  }

  get unsentBytes(): number {
    return this.#connection.bufferedAmount;
  }

  start(sink: ByteSink): void {
    let failure: Error | undefined;
    this.#connection.on('error', (error) => {
      failure = error;
    });
    this.#connection.on('close', () => sink.closed(failure));
    this.#connection.on('message', (frame: Buffer) => sink.data(asLine(frame)));
  }

  /** Bytes that no text frame may have make a binary frame, or U+FFFD in a message of several fragments. */
  write(text: string, encoding: StreamEncoding, completeness: Completeness = 'complete'): void {
    const isComplete = completeness === 'complete';
    const frame = Buffer.from(isComplete && text.endsWith('\n') ? text.slice(0, -1) : text, encoding);
    if (isComplete && !this.#isContinuing) {
      this.#connection.send(frame, { binary: !isUtf8(frame) });
    } else {
      this.#connection.send(frame.toString('utf8'), { binary: false, fin: isComplete });
    }
    this.#isContinuing = !isComplete;
  }

  whenDrained(callback: () => void): void {
    // An empty write is called back after all writes before it.
    this.#socket.write('', (error) => {
      if (!error) callback();
    });
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  end(): void {
    this.#connection.close(NORMAL_CLOSURE);
  }

  destroy(): void {
    this.#connection.terminate();
  }
}

/** A frame as one line: line breaks within it are white space to both protocols. */
function asLine(frame: Buffer): Uint8Array {
  const line = Buffer.allocUnsafe(frame.length + 1);
  for (const [index, byte] of frame.entries()) {
    line[index] = byte === NEWLINE || byte === CARRIAGE_RETURN ? SPACE : byte;
  }
  line[frame.length] = NEWLINE;
  return line;
}
