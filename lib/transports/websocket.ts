/** WebSocket: listening. A frame is one message or one line command, and each answer is a frame. */

import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { ByteSink, ByteStream, Completeness, StreamEncoding } from '../message/byte-stream.ts';
import { requireKnownOptions } from '../message/known-options.ts';
import { tooLong } from '../message/refusal-causes.ts';
import { formatAddress } from './address.ts';
import { PageAccess } from './page-access.ts';
import { AllowedTcpListener, TCP_LISTENER_OPTIONS, type TcpListener, type TcpListenerOptions } from './tcp.ts';
import { handshakeTimeoutOf } from './tls.ts';
import { Handshakes } from './web-socket-handshake.ts';

/** Where to listen and for whom. */
export interface WebSocketListenerOptions extends TcpListenerOptions {
  /** Origins of the pages that may connect, such as `https://intranet.example`. Programs that send none may, too. */
  readonly origins: readonly string[];
  /** Names, beside `localhost` and IP addresses, under which the server's own pages may connect. */
  readonly hosts: readonly string[];
  /** The longest frame that is taken, in bytes. */
  readonly maxMessageBytes: number;
}

const WEB_SOCKET_LISTENER_OPTIONS = [...TCP_LISTENER_OPTIONS, 'origins', 'hosts', 'maxMessageBytes'];

/**
 * Listens for WebSocket connections. The allow-list is asked first, then `Origin` and `Host`: a page that is not listed
 * cannot connect, nor one that has another name point to this machine.
 * @throws as `tcp` does, and TypeError when an entry of `origins` or `hosts` is none.
 */
export function webSocket(options: WebSocketListenerOptions): TcpListener {
  const { origins, hosts, tls, maxMessageBytes } = requireKnownOptions(options, WEB_SOCKET_LISTENER_OPTIONS);
  const access = new PageAccess({ origins, hosts, isSecure: tls !== undefined });
  const handshakes = new Handshakes({ access, timeoutMs: handshakeTimeoutOf(options), maxMessageBytes });
  return new AllowedTcpListener(
    options,
    (socket, address, events) => {
      const peer = formatAddress(address, socket.remotePort ?? 0);
      const refuseLength = (): void => events.refused({ ...tooLong(maxMessageBytes), address });
      const upgraded = (connection: WebSocket): void =>
        events.accepted(new WebSocketStream({ connection, socket, peer, refuseLength }));
      handshakes.admit(socket, { address, events, upgraded });
    },
    () => handshakes.close(),
  );
}

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const NORMAL_CLOSURE = 1000;

/** What `ws` calls a frame that is longer than it may be. */
const TOO_LONG = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';

/** What a stream works with. */
interface WebSocketStreamOptions {
  readonly connection: WebSocket;
  readonly socket: Socket;
  readonly peer: string;
  /** Is told when the connection closes because a frame was too long. */
  readonly refuseLength: () => void;
}

/** One WebSocket connection as a stream: each frame that comes is a line, each write a frame. */
class WebSocketStream implements ByteStream {
  readonly peer: string;
  readonly isFramed = true;
  /** A message was begun and not ended. */
  #isContinuing = false;
  readonly #connection: WebSocket;
  readonly #socket: Socket;
  #failure: Error | undefined;

  constructor({ connection, socket, peer, refuseLength }: WebSocketStreamOptions) {
    this.#connection = connection;
    this.#socket = socket;
    this.peer = peer;
    // One that is refused is never started, but what came with its handshake is still read.
    connection.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure = error;
      if (error.code === TOO_LONG) refuseLength();
    });
  }

  get unsentBytes(): number {
    return this.#connection.bufferedAmount;
  }

  start(sink: ByteSink): void {
    this.#connection.on('close', () => sink.closed(this.#failure));
    this.#connection.on('message', (frame: Buffer) => sink.data(asLine(frame)));
  }

  /** Bytes that no text frame may have make a binary frame, or U+FFFD in a message of several fragments. */
  write(text: string, encoding: StreamEncoding, completeness: Completeness = 'complete'): void {
    const isComplete = completeness === 'complete';
    const frame = Buffer.from(text, encoding);
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
