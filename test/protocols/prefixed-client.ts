/** A connection that speaks pkLockServer's framing: each message is JSON behind its length in four bytes. */

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

/** Messages are taken as text, in the order in which they came. */
export class PrefixedClient {
  readonly socket: Socket;
  /** Resolves when the connection is gone, whoever closed it. */
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
    // What became of the connection is told by `close`.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#inbox.end(new Error(`the connection is closed, behind ${this.#incomplete.length} bytes`));
        resolve();
      });
    });
  }

  /** Bytes behind the last whole message, and messages that nobody looked at. */
  get unreadCount(): number {
    return this.#inbox.size + this.#incomplete.length;
  }

  /** Sends messages in one packet; texts go out as they are, in a frame each. */
  send(...messages: readonly (object | string)[]): void {
    const texts = messages.map((message) => (typeof message === 'string' ? message : JSON.stringify(message)));
    this.socket.write(Buffer.concat(texts.map((text) => frame(text))));
  }

  /** Sends a lock request. */
  lock(lockName: unknown, id: unknown): void {
    this.send({ command: 'lock', parameters: { lockName }, id });
  }

  /** Sends an unlock. */
  unlock(lockName: unknown): void {
    this.send({ command: 'unlock', lockName });
  }

  /** Takes a lock that is free. */
  async take(lockName: unknown, id: unknown): Promise<void> {
    this.lock(lockName, id);
    await this.expect(`{"id":${JSON.stringify(id)},"result":{"status":"ok"}}`);
  }

  /** Asks for a lock that is held; the answer comes later. */
  async queue(lockName: unknown, id: unknown): Promise<void> {
    this.lock(lockName, id);
    await this.settle();
  }

  /** Unlocks, which must have that result. */
  async release(lockName: unknown, result: 'ok' | 'notFound' = 'ok'): Promise<void> {
    this.unlock(lockName);
    await this.expect(`{"attempted":"unlock","result":"${result}","lockName":${JSON.stringify(lockName)}}`);
  }

  /** The next message must be that text. */
  async expect(text: string): Promise<void> {
    expect(await this.#inbox.next()).to.equal(text);
  }

  /** Everything sent before was handled, and nothing came that was not looked at. */
  async settle(): Promise<void> {
    this.#questions += 1;
    const lockName = `settle ${this.#questions}`;
    await this.release(lockName, 'notFound');
    expect(this.unreadCount).to.equal(0);
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
