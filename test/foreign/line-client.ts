/** A connection that speaks the line protocol, for looking at a server beside a foreign client. */

import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { whenTestEnds } from '../server/clean-up.ts';
import { Inbox } from '../server/inbox.ts';

/** Replies are taken in the order in which they came; the connection is cut when the test ends. */
export class LineClient {
  readonly socket: Socket;
  /** Resolves when the connection is gone, whoever closed it. */
  readonly closed: Promise<void>;
  readonly #lines = new Inbox<string>();
  #incomplete = '';

  /** Connects to a TCP port of this machine, or as `connect` of `node:net` is told. */
  static async connect(where: number | NetConnectOpts): Promise<LineClient> {
    const socket = connect(typeof where === 'number' ? { host: '127.0.0.1', port: where } : where);
    whenTestEnds(() => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new LineClient(socket);
  }

  /** Takes a connected socket, of TLS for instance. */
  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    // What became of the connection is told by `close`.
    socket.on('error', () => {});
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text));
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#lines.end(new Error('the connection is closed'));
        resolve();
      });
    });
  }

  /** As the server sees it. */
  get address(): string {
    return `127.0.0.1:${this.socket.localPort}`;
  }

  /** Sends lines in one write. */
  send(...lines: readonly string[]): void {
    this.socket.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** The next line of the server. */
  next(): Promise<string> {
    return this.#lines.next();
  }

  /** Sends a command and returns the next line. */
  ask(line: string): Promise<string> {
    this.send(line);
    return this.next();
  }

  /** What `q` tells. */
  async statistics(): Promise<Readonly<Record<string, number>>> {
    // `q` does not say where it ends; the reply behind it does.
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

  #read(text: string): void {
    const lines = (this.#incomplete + text).split('\n');
    this.#incomplete = lines.pop() as string;
    for (const line of lines) this.#lines.push(line);
  }
}
