/** A connection that speaks the line protocol. */

import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { LineInbox } from '../server/inbox.ts';

/** Replies are read in order; the connection is destroyed when the test ends. */
export class LineClient {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly #lines: LineInbox;

  /** Connects to a TCP port of this machine, or with the options of `connect` of `node:net`. */
  static async connect(where: number | NetConnectOpts): Promise<LineClient> {
    const socket = connect(typeof where === 'number' ? { host: '127.0.0.1', port: where } : where);
    const client = new LineClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** Uses a connected socket, for example of TLS. */
  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    this.#lines = new LineInbox(socket, 'utf8');
    this.closed = this.#lines.closed;
  }

  /** The server's name for this connection. */
  get address(): string {
    return `127.0.0.1:${this.socket.localPort}`;
  }

  send(...lines: readonly string[]): void {
    this.socket.write(lines.map((line) => `${line}\n`).join(''));
  }

  next(): Promise<string> {
    return this.#lines.next();
  }

  /** Sends a command and returns the next line. */
  ask(line: string): Promise<string> {
    this.send(line);
    return this.next();
  }

  /** The counts of `q`. */
  async statistics(): Promise<Readonly<Record<string, number>>> {
    // `q` does not mark its end, so the next reply shows it.
    this.send('q', 'i nobody holds this');
    const rows: [string, number][] = [];
    for (let line = await this.next(); !line.startsWith('0 '); line = await this.next()) {
      const [key = '', value] = line.split(': ');
      rows.push([key, Number(value)]);
    }
    return Object.fromEntries(rows);
  }

  /** Closes this side and waits until the server has closed the other. */
  async leave(): Promise<void> {
    this.socket.end();
    await this.closed;
  }
}
