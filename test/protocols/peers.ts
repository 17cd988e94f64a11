/** Connections over each transport with one interface: commands go out, replies come in, as bytes. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { type RawData, WebSocket } from 'ws';
import type { MemoryListener } from '../../lib/transports/memory.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import { Inbox, LineInbox } from '../server/inbox.ts';
import { DuplexStream } from './duplex-stream.ts';

/** One connection to a server. Replies are in Latin-1: each character is a byte. */
export interface Peer {
  /** The server's name for this connection. */
  readonly address: string;
  readonly closed: Promise<void>;
  readonly unreadCount: number;
  /** Sends commands in one packet, or as one frame each. */
  send(commands: readonly Uint8Array[]): void;
  /** The next reply, which has that many lines (one by default), without the end of the last. */
  receive(lineCount?: number): Promise<string>;
  /** Closes the connection; over WebSocket with a close frame. */
  close(): void;
}

/** A Unix connection is named after its number. */
export type Connect = (connectionNumber: number) => Promise<Peer>;

/** A peer on a stream of bytes. */
export class StreamPeer<Stream extends Duplex = Socket> implements Peer {
  readonly address: string;
  readonly socket: Stream;
  readonly closed: Promise<void>;
  readonly #lines: LineInbox;

  constructor(socket: Stream, address: string) {
    this.socket = socket;
    this.address = address;
    this.#lines = new LineInbox(socket, 'latin1');
    this.closed = this.#lines.closed;
  }

  get unreadCount(): number {
    return this.#lines.size + (this.#lines.incomplete === '' ? 0 : 1);
  }

  send(commands: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(commands.flatMap((command) => [command, Buffer.from('\n')])));
  }

  /** Sends the last command without the end of its line, and closes this side. */
  finish(command: Uint8Array): void {
    this.socket.end(command);
  }

  async receive(lineCount = 1): Promise<string> {
    const lines: string[] = [];
    while (lines.length < lineCount) lines.push(await this.#lines.next());
    return lines.join('\n');
  }

  /** Sends a command and returns its reply of one line. */
  ask(command: string): Promise<string> {
    this.send([Buffer.from(command)]);
    return this.receive();
  }

  /** Everything that comes until the connection is closed. */
  async rest(): Promise<string> {
    await this.closed;
    let text = '';
    while (this.#lines.size > 0) text += `${await this.#lines.next()}\n`;
    return text + this.#lines.incomplete;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** A peer whose commands and replies are frames. The line break at the end of a line reply is dropped. */
export class FramePeer implements Peer {
  /** How many frames were empty: the replies to commands without an answer. */
  emptyFrames = 0;
  readonly address: string;
  readonly webSocket: WebSocket;
  readonly closed: Promise<void>;
  readonly #frames = new Inbox<string>();

  constructor(webSocket: WebSocket, address: string) {
    this.webSocket = webSocket;
    this.address = address;
    whenTestEnds(() => webSocket.terminate());
    webSocket.on('message', (data: RawData) => this.#read((data as Buffer).toString('latin1')));
    webSocket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      webSocket.once('close', () => {
        this.#frames.end(new Error('the connection is closed'));
        resolve();
      });
    });
  }

  get unreadCount(): number {
    return this.#frames.size;
  }

  send(commands: readonly Uint8Array[]): void {
    for (const command of commands) this.webSocket.send(command, { binary: true });
  }

  receive(_lineCount = 1): Promise<string> {
    return this.#frames.next();
  }

  /** Sends a text or binary frame and returns the next frame that comes. */
  ask(command: string | Uint8Array): Promise<string> {
    this.webSocket.send(command);
    return this.receive();
  }

  close(): void {
    this.webSocket.close();
  }

  #read(frame: string): void {
    if (frame === '') this.emptyFrames += 1;
    else if (frame.startsWith('{')) this.#frames.push(frame);
    else this.#frames.push(frame.endsWith('\n') ? frame.slice(0, -1) : `${frame} without a line break`);
  }
}

/** Connects over TCP. */
export async function connectTcp(port: number): Promise<StreamPeer> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  return new StreamPeer(socket, `127.0.0.1:${socket.localPort}`);
}

/** Connects over TLS. */
export async function connectSecurely(port: number, ca: string): Promise<StreamPeer> {
  const socket = connectTls({ host: '127.0.0.1', port, ca });
  await once(socket, 'secureConnect');
  return new StreamPeer(socket, `127.0.0.1:${socket.localPort}`);
}

/** Connects to a Unix socket. */
export async function connectUnix(path: string, connectionNumber: number): Promise<StreamPeer> {
  const socket = connect({ path });
  await once(socket, 'connect');
  return new StreamPeer(socket, `unix:${connectionNumber}`);
}

/** Connects within this process. */
export async function connectInMemory(listener: MemoryListener): Promise<StreamPeer<Duplex>> {
  const connection = await listener.dial(new AbortController().signal);
  return new StreamPeer(new DuplexStream(connection), connection.localAddress);
}

/** Connects over WebSocket. */
export async function connectFrames(url: string, options: WebSocket.ClientOptions = {}): Promise<FramePeer> {
  const webSocket = new WebSocket(url, options);
  const upgraded = once(webSocket, 'upgrade');
  const opened = once(webSocket, 'open');
  const [[response]] = await Promise.all([upgraded, opened]);
  return new FramePeer(webSocket, `127.0.0.1:${response.socket.localPort}`);
}
