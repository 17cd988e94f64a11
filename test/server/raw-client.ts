/** A connection that sends and receives messages unchanged, so that tests see exact replies. */

import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { parseAddress } from '../support/parse-address.ts';
import { LineInbox } from './inbox.ts';

/** A message of the server. */
export type Message = Readonly<Record<string, unknown>>;

/** Messages are read in order; the connection is destroyed when the test ends. */
export class RawClient {
  readonly socket: Socket;
  bytesReceived = 0;
  /** Resolves when the socket is gone: whether the other end closed its side before that, and the error. */
  readonly closed: Promise<{ readonly hasEnded: boolean; readonly error: Error | undefined }>;
  readonly #lines: LineInbox;
  #lastId = 0;

  /** Connects to a port of 127.0.0.1, or to where a server said that it listens. */
  static async connect(where: number | string, options: Partial<NetConnectOpts> = {}): Promise<RawClient> {
    const place = typeof where === 'number' ? { host: '127.0.0.1', port: where } : parseAddress(where);
    const socket = connect({ ...place, noDelay: true, ...options } as NetConnectOpts);
    const client = new RawClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** Uses a socket that a server has accepted. */
  constructor(socket: Socket) {
    this.socket = socket;
    let hasEnded = false;
    let error: Error | undefined;
    this.#lines = new LineInbox(socket, 'utf8');
    socket.on('data', (text: string) => {
      this.bytesReceived += Buffer.byteLength(text);
    });
    socket.on('end', () => {
      hasEnded = true;
    });
    socket.on('error', (cause) => {
      error = cause;
    });
    this.closed = this.#lines.closed.then(() => ({ hasEnded, error }));
  }

  /** The number of messages that the test has not read. */
  get unreadCount(): number {
    return this.#lines.size;
  }

  send(...messages: readonly unknown[]): void {
    this.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  async next(): Promise<Message> {
    return JSON.parse(await this.#lines.next());
  }

  async nextMany(count: number): Promise<Message[]> {
    const messages: Message[] = [];
    while (messages.length < count) messages.push(await this.next());
    return messages;
  }

  /** All messages from here to the end of the connection. */
  async rest(): Promise<Message[]> {
    await this.closed;
    return await this.nextMany(this.unreadCount);
  }

  /** Sends a request and returns the next message, whatever it is. */
  request(command: string, parameters: object, id: number | string): Promise<Message> {
    this.send({ command, parameters, id });
    return this.next();
  }

  /** Sends a command and returns its result. Fails when another message comes first. */
  async ask(command: string, parameters?: object): Promise<Message> {
    this.#lastId += 1;
    const id = `ask-${this.#lastId}`;
    this.send({ command, ...(parameters === undefined ? {} : { parameters }), id });
    const message = await this.next();
    if (message.id !== id) throw new Error(`expected the result of ${command}, got ${JSON.stringify(message)}`);
    return message.result as Message;
  }

  /** Takes a lock that is free and returns its token. */
  async take(lockName: string, parameters: object = {}): Promise<number> {
    const { status, token } = await this.ask('lock', { lockName, ...parameters });
    if (status !== 'ok') throw new Error(`${lockName} was not granted: ${String(status)}`);
    return token as number;
  }

  /** Takes locks that are free by requests in one packet. */
  async takeMany(lockNames: readonly string[], parameters: object = {}): Promise<void> {
    const requests = lockNames.map((lockName, id) => ({
      command: 'lock',
      parameters: { lockName, ...parameters },
      id,
    }));
    this.send(...requests);
    for (const [id, lockName] of lockNames.entries()) {
      const { id: answered, result } = await this.next();
      const { status } = result as Message;
      if (answered !== id || status !== 'ok') throw new Error(`${lockName} was not granted: ${String(status)}`);
    }
  }

  /** Asks for a lock that is held, and returns once the server knows; the answer comes as a message with that id. */
  async queue(id: number | string, lockName: string, parameters: object = {}): Promise<void> {
    this.#lastId += 1;
    const ping = `ask-${this.#lastId}`;
    this.send({ command: 'lock', parameters: { lockName, ...parameters }, id }, { command: 'ping', id: ping });
    const message = await this.next();
    if (message.id !== ping) throw new Error(`expected ${lockName} to be held, got ${JSON.stringify(message)}`);
  }

  /** Returns once the server has handled all earlier requests; fails if there is a message that the test has not read. */
  async settle(): Promise<void> {
    await this.ask('ping');
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Closes this side and waits until the server has closed the other. */
  async leave(): Promise<void> {
    this.socket.end();
    await this.closed;
  }
}

/** So many checks follow each other at once where the condition asks another program; then it is left time for its work. */
const QUICK_CHECKS = 20;
const PAUSE_MS = 4;

/** Waits until a condition holds that others make true; they get a turn before each check. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let checks = 1; ; checks += 1) {
    const holds = condition();
    if (await holds) return;
    await (typeof holds === 'boolean' || checks < QUICK_CHECKS ? nextTurn() : pause(PAUSE_MS));
  }
}

/** The server's name for the connection of a client of this machine. */
export function addressOf({ socket }: { readonly socket: { readonly localPort?: number | undefined } }): string {
  return `127.0.0.1:${socket.localPort}`;
}
