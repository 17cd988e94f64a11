/** A crowd: many connections to one server from a process of its own, idle or with locks. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { askChild, CORES, pinToCore, withOpenFiles } from './processes.ts';

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
    const socket = connectSocket({ host: '127.0.0.1', port, noDelay: true });
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

/** A message to the process of a crowd. Numbers are totals. */
type CrowdOrder =
  | { readonly kind: 'connect'; readonly port: number; readonly connections: number }
  /** Each connection takes and releases a lock once. */
  | { readonly kind: 'use' }
  /** The first connections hold 10,000 locks each. */
  | { readonly kind: 'hold'; readonly locks: number }
  /** Each connection takes exclusive locks of its own and shared locks with all others, by one write, all at once. */
  | { readonly kind: 'take'; readonly exclusive: number; readonly shared: number }
  /** Each connection opens a session, takes a lock, and pings every so many milliseconds. */
  | { readonly kind: 'keepSessions'; readonly pingMs: number };

/** The answer to each order. */
interface CrowdAnswer {
  readonly problem?: string;
}

const PROGRAM = fileURLToPath(import.meta.url);
/** Tells the process of a crowd from the one that orders it. */
const ROLE = '--crowd';
const AT_ONCE = 100;
const PING_EVERY_MS = 20;
const PING = { command: 'ping', id: 3 };
const LOCKS_EACH = 10_000;
const LOCKS_A_WRITE = 1_000;
/** A grant begins with the number of holders. */
const GRANTED = /^[1-9]/;

/** The name of a lock that no other connection of a crowd takes. */
export function ownLock(connection: number, index: number): string {
  return `own-${connection}-${index}`;
}

/** Every call resolves when the server has answered all of it, and rejects when the server refuses. */
export class Crowd {
  readonly #process: ChildProcess;

  /** Starts a crowd that may open so many files. With `low` priority it leaves its core to the process that measures. */
  static start(openFiles: number, priority: 'equal' | 'low' = 'equal'): Crowd {
    const [program = '', ...args] = withOpenFiles(openFiles, [process.execPath, PROGRAM, ROLE]);
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    if (priority === 'low') setPriority(child.pid as number, constants.priority.PRIORITY_LOW);
    return new Crowd(child);
  }

  constructor(child: ChildProcess) {
    this.#process = child;
    pinToCore(child.pid as number, CORES.generator);
  }

  /** Opens connections until there are that many. */
  connect(port: number, connections: number): Promise<void> {
    return this.#order({ kind: 'connect', port, connections });
  }

  /** Each connection takes and releases a lock once. */
  use(): Promise<void> {
    return this.#order({ kind: 'use' });
  }

  /** Takes locks until it holds that many. */
  hold(locks: number): Promise<void> {
    return this.#order({ kind: 'hold', locks });
  }

  /** Each connection takes exclusive locks of its own and shared locks with all others, by one write, all at once. */
  take(exclusive: number, shared: number): Promise<void> {
    return this.#order({ kind: 'take', exclusive, shared });
  }

  /** Each connection, not used before, opens a session, takes a lock, and pings at that interval, as a quiet `LockClient` does. */
  keepSessions(pingMs: number): Promise<void> {
    return this.#order({ kind: 'keepSessions', pingMs });
  }

  /** Closes all connections at once. Resolves when they are closed on this side. */
  async stop(): Promise<void> {
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }

  async #order(order: CrowdOrder): Promise<void> {
    const { problem } = await askChild<CrowdAnswer>(this.#process, order);
    if (problem !== undefined) throw new Error(`the crowd, to ${order.kind}: ${problem}`);
  }
}

const clients: LineClient[] = [];
let held = 0;

async function connect(port: number, connections: number): Promise<void> {
  while (clients.length < connections) {
    const count = Math.min(AT_ONCE, connections - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: count }, () => LineClient.connect(port)))));
  }
}

async function ask(client: LineClient | undefined, lines: readonly string[]): Promise<void> {
  if (client === undefined) throw new Error('too few connections for so many locks');
  const refused = (await client.ask(lines)).find((reply) => !GRANTED.test(reply));
  if (refused !== undefined) throw new Error(`refused: ${refused}`);
}

async function use(): Promise<void> {
  for (let first = 0; first < clients.length; first += AT_ONCE) {
    const some = clients.slice(first, first + AT_ONCE);
    await Promise.all(some.map((client, index) => ask(client, [`g used-${first + index}`, `r used-${first + index}`])));
  }
}

async function hold(locks: number): Promise<void> {
  while (held < locks) {
    const connection = Math.floor(held / LOCKS_EACH);
    const count = Math.min(LOCKS_A_WRITE, locks - held, (connection + 1) * LOCKS_EACH - held);
    const lines = Array.from({ length: count }, (_, index) => `g held-${String(held + index).padStart(10, '0')}`);
    await ask(clients[connection], lines);
    held += count;
  }
}

async function take(exclusive: number, shared: number): Promise<void> {
  const sharedLines = Array.from({ length: shared }, (_, index) => `sg all-${index}`);
  const linesOf = (connection: number): string[] =>
    Array.from({ length: exclusive }, (_, index) => `g ${ownLock(connection, index)}`);
  await Promise.all(clients.map((client, connection) => ask(client, [...linesOf(connection), ...sharedLines])));
}

function openingOf(connection: number): object[] {
  const locked = { lockName: `session-${process.pid}-${connection}` };
  return [
    { command: 'hello', parameters: { protocol: 1, session: {} }, id: 1 },
    { command: 'lock', parameters: locked, id: 2 },
  ];
}

/** Requests of the message protocol; the crowd ends when one is refused. */
async function askOf(client: LineClient, requests: readonly object[]): Promise<void> {
  const replies = await client.ask(requests.map((request) => JSON.stringify(request)));
  const refused = replies.find((reply) => !reply.includes('"status":"ok"'));
  if (refused !== undefined) throw new Error(`refused: ${refused}`);
}

async function keepSessions(pingMs: number): Promise<void> {
  for (let first = 0; first < clients.length; first += AT_ONCE) {
    const some = clients.slice(first, first + AT_ONCE);
    await Promise.all(some.map((client, index) => askOf(client, openingOf(first + index))));
  }
  // As many each time as make one round of all in the interval.
  let next = 0;
  const share = Math.ceil((clients.length * PING_EVERY_MS) / pingMs);
  setInterval(() => {
    for (let count = 0; count < share; count += 1) {
      void askOf(clients[next] as LineClient, [PING]);
      next = (next + 1) % clients.length;
    }
  }, PING_EVERY_MS);
}

async function obey(order: CrowdOrder): Promise<CrowdAnswer> {
  try {
    if (order.kind === 'connect') await connect(order.port, order.connections);
    else if (order.kind === 'use') await use();
    else if (order.kind === 'keepSessions') await keepSessions(order.pingMs);
    else if (order.kind === 'take') await take(order.exclusive, order.shared);
    else await hold(order.locks);
    return {};
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

if (process.argv.includes(ROLE)) {
  process.on('message', (order: CrowdOrder) => {
    void obey(order).then((answer) => process.send?.(answer));
  });
  process.once('disconnect', () => process.exit());
}
