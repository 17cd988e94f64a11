/** A client of the line protocol that asks for many things at once. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Sends lines and waits for as many answers; rejects when the connection closes first. */
export class LineClient {
  readonly #socket: Socket;
  #incomplete = '';
  #lines: string[] = [];
  #expected = 0;
  #resolve: (lines: string[]) => void = () => {};
  #reject: (error: Error) => void = () => {};
  #isClosed = false;

  static async connect(port: number): Promise<LineClient> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    return new LineClient(socket);
  }

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      const lines = (this.#incomplete + text).split('\n');
      this.#incomplete = lines.pop() as string;
      this.#lines.push(...lines);
      if (this.#lines.length >= this.#expected) this.#resolve(this.#lines.splice(0));
    });
    // The event `close` follows and rejects.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isClosed = true;
      this.#reject(connectionClosed());
    });
  }

  ask(lines: readonly string[], expected: number = lines.length): Promise<string[]> {
    this.#expected = expected;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (this.#isClosed) reject(connectionClosed());
      this.#socket.write(lines.map((line) => `${line}\n`).join(''));
    });
  }

  /** The answer to `q`. */
  async statistics(): Promise<ReadonlyMap<string, number>> {
    const rows = (await this.ask(['q'], 16)).map((line) => line.split(': '));
    return new Map(rows.map(([key = '', value]) => [key, Number(value)]));
  }

  end(): void {
    this.#socket.destroy();
  }
}

function connectionClosed(): Error {
  return new Error('the server closed the connection');
}
