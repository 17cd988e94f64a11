/** Listens for WebSocket. A frame is one message or one line command, and each answer is a frame. */

import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { ByteSink, ByteStream, Completeness, StreamEncoding } from '../message/byte-stream.ts';
import { requireKnownOptions } from '../message/known-options.ts';
import { brokenFrame, tooLong, tooManyFragments, unreadPongs } from '../message/refusal-causes.ts';
import type { ConnectionRefusalReason, RefusalCause } from '../message/refusals.ts';
import { formatAddress } from './allow-list.ts';
import { PacedInput } from './paced-input.ts';
import { PageAccess } from './page-access.ts';
import { type PeerWatch, sharedPeerWatch, type WatchedPeer } from './peer-watch.ts';
import { AllowedTcpListener, TCP_LISTENER_OPTIONS, type TcpListener, type TcpListenerOptions } from './tcp.ts';
import { handshakeTimeoutOf } from './tls.ts';
import { rawSocketOf } from './tls-failure.ts';
import { FrameFollower } from './web-socket-frames.ts';
import { Handshakes, MAX_FRAGMENTS } from './web-socket-handshake.ts';

/** Where to listen, and who may connect. */
export interface WebSocketListenerOptions extends TcpListenerOptions {
  /**
   * Origins of the pages that may connect, such as `https://intranet.example`. Programs without an origin may connect
   * too.
   */
  readonly origins: readonly string[];
  /** Names by which the server's own pages may call it, besides `localhost` and IP addresses. */
  readonly hosts: readonly string[];
  /** The longest frame to accept, in bytes. */
  readonly maxMessageBytes: number;
}

const WEB_SOCKET_LISTENER_OPTIONS = [...TCP_LISTENER_OPTIONS, 'origins', 'hosts', 'maxMessageBytes'];

/**
 * Listens for WebSocket connections. Checks the allow-list first, then `Origin` and `Host`. A page cannot connect if it
 * is not listed, or if it points a name of its own at this machine.
 * @throws as `tcp` does, and TypeError for a wrong entry of `origins` or `hosts`.
 */
export function webSocket(options: WebSocketListenerOptions, watch: PeerWatch = sharedPeerWatch): TcpListener {
  const { tls, maxMessageBytes, ...others } = requireKnownOptions(options, WEB_SOCKET_LISTENER_OPTIONS);
  let pages = { origins: others.origins, hosts: others.hosts, isSecure: tls !== undefined };
  const access = new PageAccess(pages);
  const handshakes = new Handshakes({ access, timeoutMs: handshakeTimeoutOf(options), maxMessageBytes });
  return new AllowedTcpListener(options, {
    hasHandshake: true,
    admit: (socket, arrival) => {
      const { address, port, events, place } = arrival;
      const peer = formatAddress(address, port);
      const refused = (cause: Cause): void => events.refused({ ...cause, address });
      const upgraded = (connection: WebSocket): void => {
        const stream = new WebSocketStream({ connection, socket, peer, watch, maxMessageBytes, refused });
        events.accepted(stream, place);
      };
      handshakes.admit(socket, { ...arrival, upgraded });
    },
    prepare: ({ origins = pages.origins, hosts = pages.hosts }) => {
      const changed = { ...pages, origins, hosts };
      const changedAccess = new PageAccess(changed);
      return () => {
        pages = changed;
        handshakes.access = changedAccess;
      };
    },
    close: () => handshakes.close(),
  });
}

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const NORMAL_CLOSURE = 1000;

/** Reported where the peer has sent no close frame (RFC 6455, 7.1.5). */
const NO_CLOSE_FRAME = 1_006;

/** The codes of `ws` for a frame that is too long, for too many parts, and how those of all broken frames begin. */
const TOO_LONG = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
const TOO_MANY_PARTS = 'WS_ERR_TOO_MANY_BUFFERED_PARTS';
const BROKEN = 'WS_ERR_';

/** A client may send pings and never read the answers. */
const MAX_UNREAD_PONGS = 60;

type Cause = RefusalCause<ConnectionRefusalReason>;

interface WebSocketStreamOptions {
  readonly connection: WebSocket;
  readonly socket: Socket;
  readonly peer: string;
  readonly watch: PeerWatch;
  readonly maxMessageBytes: number;
  /** Called when the connection closes because of the frames that came. */
  readonly refused: (cause: Cause) => void;
}

/** One WebSocket connection as a stream: each incoming frame is a line, and each write is a frame. */
class WebSocketStream implements ByteStream, WatchedPeer {
  readonly peer: string;
  readonly isFramed = true;
  /** Whether a message has begun but not ended. */
  #isContinuing = false;
  readonly #connection: WebSocket;
  readonly #socket: Socket;
  readonly #watch: PeerWatch;
  readonly #frames = new FrameFollower();
  #sink: ByteSink | undefined;
  #input: PacedInput | undefined;
  #failure: Error | undefined;
  #unreadPongs = 0;

  constructor({ connection, socket, peer, watch, maxMessageBytes, refused }: WebSocketStreamOptions) {
    this.#connection = connection;
    this.#socket = socket;
    this.peer = peer;
    this.#watch = watch;
    // A refused connection never starts, but `ws` still reads the bytes that came with its handshake.
    connection.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure = error;
      const cause = causeOfError(error, maxMessageBytes);
      if (cause !== undefined) refused(cause);
    });
    connection.on('ping', (data) => this.#answerPing(data, refused));
  }

  get unsentBytes(): number {
    return this.#connection.bufferedAmount;
  }

  get partialBytes(): number {
    return this.#frames.partialBytes;
  }

  get rawSocket(): Socket {
    return rawSocketOf(this.#socket);
  }

  get heardMs(): number {
    return this.#sink?.heardMs ?? Number.POSITIVE_INFINITY;
  }

  lose(error: Error): void {
    this.#failure = error;
    this.rawSocket.resetAndDestroy();
  }

  start(sink: ByteSink): void {
    this.#sink = sink;
    const watched = this.#watch.add(this);
    // Sees the bytes before `ws` does, so that it is up to date when a message is whole.
    this.#input = new PacedInput(
      this.#socket,
      (bytes) => this.#follow(bytes, sink),
      (bytes) => this.#frames.isOneFrame(bytes),
    );
    this.#connection.on('close', (code) => {
      this.#watch.delete(watched);
      if (code !== NO_CLOSE_FRAME) sink.ended();
      sink.closed(this.#failure);
    });
    this.#connection.on('message', (frame: Buffer) => sink.data(asLine(frame)));
  }

  /**
   * Sends a binary frame when the bytes are not valid UTF-8. In a message of several fragments, invalid bytes become
   * U+FFFD.
   */
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

  #follow(bytes: Buffer, sink: ByteSink): void {
    const before = this.partialBytes;
    this.#frames.read(bytes);
    if (this.partialBytes !== before) sink.partialBytesChanged?.();
  }

  #answerPing(data: Buffer, refused: (cause: Cause) => void): void {
    const connection = this.#connection;
    if (connection.readyState !== connection.OPEN) return;
    if (this.#unreadPongs < MAX_UNREAD_PONGS) {
      this.#unreadPongs += 1;
      connection.pong(data, false, this.#pongSent);
    } else {
      refused(unreadPongs(MAX_UNREAD_PONGS));
      connection.terminate();
    }
  }

  readonly #pongSent = (): void => {
    this.#unreadPongs -= 1;
  };

  whenDrained(callback: () => void): void {
    // The callback of an empty write comes after all earlier writes.
    this.#socket.write('', (error) => {
      if (!error) callback();
    });
  }

  pause(): void {
    this.#input?.pause();
  }

  resume(): void {
    this.#input?.resume();
  }

  end(): void {
    this.#connection.close(NORMAL_CLOSURE);
  }

  destroy(): void {
    this.#connection.terminate();
  }
}

/** Why `ws` closes a connection by this error; undefined when the connection just broke. */
function causeOfError({ code, message }: NodeJS.ErrnoException, maxMessageBytes: number): Cause | undefined {
  if (code === TOO_LONG) return tooLong(maxMessageBytes);
  if (code === TOO_MANY_PARTS) return tooManyFragments(MAX_FRAGMENTS);
  if (code?.startsWith(BROKEN) !== true) return undefined;
  return brokenFrame(message.replace(/^Invalid WebSocket frame: /, ''));
}

/** Turns a frame into one line. Line breaks within it become spaces, since both protocols read them as white space. */
function asLine(frame: Buffer): Uint8Array {
  const line = Buffer.allocUnsafe(frame.length + 1);
  line.set(frame);
  // An iterator takes ten times as long.
  for (let index = 0; index < frame.length; index += 1) {
    if (line[index] === NEWLINE || line[index] === CARRIAGE_RETURN) line[index] = SPACE;
  }
  line[frame.length] = NEWLINE;
  return line;
}
