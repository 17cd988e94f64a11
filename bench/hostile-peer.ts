/** A client of the benches with hostile clients. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A client that sends what it is told. */
export class Peer {
  static readonly #all = new Set<Peer>();
  readonly socket: Socket;
  #replies = 0;
  #tail = '';
  #wake = (): void => {};

  static async open(port: number): Promise<Peer> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.on('error', () => {});
    await once(socket, 'connect');
    return new Peer(socket);
  }

  /** All peers go. */
  static destroyAll(): void {
    for (const { socket } of Peer.#all) socket.destroy();
    Peer.#all.clear();
  }

  constructor(socket: Socket) {
    Peer.#all.add(this);
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) this.#replies += 1;
      this.#tail = bytes.subarray(-10_000).toString('latin1');
      this.#wake();
    });
    socket.on('close', () => {
      Peer.#all.delete(this);
      this.#wake();
    });
  }

  /** How many replies and events have come. */
  get replyCount(): number {
    return this.#replies;
  }

  get lastReply(): string {
    return this.#tail;
  }

  send(command: string, parameters: object, id: number | string = 1): void {
    this.socket.write(`${JSON.stringify({ command, parameters, id })}\n`);
  }

  /** Breaks the connection off. Node cannot reset a socket, and never closes it, in the turn in which its side ended. */
  reset(): void {
    if (this.socket.writableEnded) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  /** Resolves when the last bytes contain the text, or the connection is closed. */
  async received(text: string): Promise<void> {
    while (!this.#tail.includes(text) && !this.socket.closed) await this.#more();
  }

  /** Resolves when so many replies have come in all, or the connection is closed. */
  async replied(count: number): Promise<void> {
    while (this.#replies < count && !this.socket.closed) {
      await this.#more();
    }
  }

  #more(): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
