/** A connection to a leader that is about to stand still, with requests that it finds when it goes on. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const REQUESTS: readonly object[] = [
  { command: 'lock', parameters: { lockName: 'late' }, id: 'late lock' },
  { command: 'ping', id: 'late ping' },
];

export class LateAnswers {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  #text = '';

  /** Resolves once the leader has answered a first request. */
  static async connect(address: string): Promise<LateAnswers> {
    const [host = '', port = ''] = address.split(':');
    const socket = connect({ host, port: Number(port) });
    socket.write('{"command":"ping","id":"early"}\n');
    await once(socket, 'data');
    return new LateAnswers(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => {
      this.#text += String(bytes);
    });
    // A reset is how it ends.
    socket.on('error', () => {});
    this.#closed = new Promise((resolve) => {
      socket.once('close', () => resolve());
    });
  }

  /** Sends requests that the leader finds when it goes on. */
  ask(): void {
    for (const request of REQUESTS) this.#socket.write(`${JSON.stringify(request)}\n`);
  }

  /** How many of the late requests were answered; resolves once the connection is closed. */
  async count(): Promise<number> {
    await this.#closed;
    return this.#text.split('\n').filter((line) => line !== '').length;
  }
}
