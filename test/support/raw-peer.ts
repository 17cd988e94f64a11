/** One end of a plain socket that speaks lines of JSON by hand, so that a test decides on every byte. */

import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { parseAddress } from './parse-address.ts';

/** A message that came. */
export type Message = Readonly<Record<string, unknown>>;

/** Closes its side when the other end closes its own, unless it was opened with `allowHalfOpen`. */
export class RawPeer {
  readonly socket: Socket;
  /** How many bytes came so far. */
  bytesReceived = 0;
  /** Resolves when the socket is gone: whether the other end closed its side before that, and the error. */
  readonly closed: Promise<{ readonly hasEnded: boolean; readonly error: Error | undefined }>;
  /** Messages that came and that nobody has asked for yet. */
  readonly #messages: Message[] = [];
  readonly #waiting: { resolve(message: Message): void; reject(error: Error): void }[] = [];
  #rest = '';
  #isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    let hasEnded = false;
    let error: Error | undefined;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('end', () => {
      hasEnded = true;
    });
    socket.on('error', (cause) => {
      error = cause;
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#isClosed = true;
        for (const { reject } of this.#waiting.splice(0)) reject(connectionClosed());
        resolve({ hasEnded, error });
      });
    });
  }

  /** Connects to where a server said that it listens. */
  static async connect(address: string, options: Partial<NetConnectOpts> = {}): Promise<RawPeer> {
    const socket = connect({ ...parseAddress(address), ...options } as NetConnectOpts);
    const peer = new RawPeer(socket);
    await once(socket, 'connect');
    return peer;
  }

  /** Sends messages, each on a line of its own, all in one write. */
  send(...messages: unknown[]): void {
    this.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The next message; rejects when the connection closes before it. */
  next(): Promise<Message> {
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#isClosed) return Promise.reject(connectionClosed());
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** The next so many messages. */
  async take(count: number): Promise<Message[]> {
    const messages: Message[] = [];
    while (messages.length < count) messages.push(await this.next());
    return messages;
  }

  /** All messages from here to the end of the connection. */
  async rest(): Promise<Message[]> {
    await this.closed;
    return this.#messages.splice(0);
  }

  /** Sends a request and gives the next message. */
  ask(command: string, parameters: object, id: number | string): Promise<Message> {
    this.send({ command, parameters, id });
    return this.next();
  }

  /** Asks for something that is answered at once: a reply to it shows that nothing else was on its way before. */
  async expectNothing(): Promise<void> {
    const message = await this.ask('echo', {}, 'nothing else');
    if (message.id !== 'nothing else') throw new Error(`there was something: ${JSON.stringify(message)}`);
  }

  /** Closes this side and goes on to read. */
  end(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  #receive(text: string): void {
    this.bytesReceived += Buffer.byteLength(text);
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const message = JSON.parse(line) as Message;
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#messages.push(message);
      else waiting.resolve(message);
    }
  }
}

function connectionClosed(): Error {
  return new Error('the connection closed');
}
