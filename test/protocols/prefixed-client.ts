/** A connection with pkLockServer's framing: four bytes with the length, then JSON. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { whenTestEnds } from '../server/clean-up.ts';
import { Inbox } from '../server/inbox.ts';

/** A text as a frame. */
export function frame(text: string | Uint8Array): Buffer {
  const body = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** Messages are read as text, in order. */
export class PrefixedClient {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly #inbox = new Inbox<string>();
  #incomplete: Buffer = Buffer.alloc(0);
  #questions = 0;

  static async connect(port: number): Promise<PrefixedClient> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    return new PrefixedClient(socket);
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    whenTestEnds(() => socket.destroy());
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    // `close` follows an error.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#inbox.end(new Error(`the connection is closed, behind ${this.#incomplete.length} bytes`));
        resolve();
      });
    });
  }

  /** The number of messages that the test has not read, plus the bytes after the last whole one. */
  get unreadCount(): number {
    return this.#inbox.size + this.#incomplete.length;
  }

  /** Sends messages in one packet; texts are not changed. */
  send(...messages: readonly (object | string)[]): void {
    const texts = messages.map((message) => (typeof message === 'string' ? message : JSON.stringify(message)));
    this.socket.write(Buffer.concat(texts.map((text) => frame(text))));
  }

  lock(lockName: unknown, id: unknown): void {
    this.send({ command: 'lock', parameters: { lockName }, id });
  }

  unlock(lockName: unknown): void {
    this.send({ command: 'unlock', lockName });
  }

  /** Takes a lock that is free. */
  async take(lockName: unknown, id: unknown): Promise<void> {
    this.lock(lockName, id);
    await this.expect(`{"id":${JSON.stringify(id)},"result":{"status":"ok"}}`);
  }

  /** Asks for a held lock; the answer comes later. */
  async queue(lockName: unknown, id: unknown): Promise<void> {
    this.lock(lockName, id);
    await this.settle();
  }

  /** Unlocks, and expects this result. */
  async release(lockName: unknown, result: 'ok' | 'notFound' = 'ok'): Promise<void> {
    this.unlock(lockName);
    await this.expect(`{"attempted":"unlock","result":"${result}","lockName":${JSON.stringify(lockName)}}`);
  }

  /** Expects this text as the next message. */
  async expect(text: string): Promise<void> {
    expect(await this.#inbox.next()).to.equal(text);
  }

  /** Returns once the server has handled all earlier requests; fails if there is a message that the test has not read. */
  async settle(): Promise<void> {
    this.#questions += 1;
    const lockName = `settle ${this.#questions}`;
    await this.release(lockName, 'notFound');
    expect(this.unreadCount).to.equal(0);
  }

  /** Closes this side and waits until the server has closed the other. */
  async leave(): Promise<void> {
    this.socket.end();
    await this.closed;
  }

  #read(bytes: Buffer): void {
    this.#incomplete = Buffer.concat([this.#incomplete, bytes]);
    while (this.#incomplete.length >= 4) {
      const end = 4 + this.#incomplete.readUInt32BE(0);
      if (this.#incomplete.length < end) return;
      this.#inbox.push(this.#incomplete.toString('utf8', 4, end));
      this.#incomplete = this.#incomplete.subarray(end);
    }
  }
}
