/**
 * Lets hostile and unlucky clients of many kinds loose on a server, one kind after the other, beside a bystander who locks
 * and unlocks a name of its own every 5 ms. Prints the longest wait of the bystander, and the memory of the server before, at
 * most and after. Ends with code 1 when the server ends, when the bystander is refused or cut off, or when a lock stays.
 *
 *     npm run build && node dist/bench/hostile.js [--short] [--kind=inspects] [--heap=256]
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { allowedOpenFiles, askChild, residentBytes } from './processes.ts';
import { isShort, numberGiven, printTable, shown, textGiven } from './program.ts';
import { startServer } from './servers.ts';

const PROGRAM = fileURLToPath(import.meta.url);
const BYSTANDER = '--bystander';
const PAUSE_MS = 5;
const BYTES_A_MEBIBYTE = 1_048_576;
const SETTLE_MS = 100;
const WATCH_MS = 20;
/** Nothing of what a kind does takes longer than that; a bystander that waits so long was forgotten. */
const MAX_SECONDS = 120;
/** A short run is a hundredth of a long one, to see that the program works. */
const SCALE = isShort ? 0.02 : 1;

/** How many of something, fewer in a short run. */
function many(count: number): number {
  return Math.max(2, Math.round(count * SCALE));
}

/** What a bystander saw. */
interface Seen {
  readonly count: number;
  readonly worstMs: number;
  readonly problem?: string;
}

async function beBystander(port: number): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let problem: string | undefined;
  let worstMs = 0;
  let count = 0;
  let isOver = false;
  socket.on('error', (error) => {
    problem = error.message;
  });
  socket.on('close', () => {
    problem ??= 'it was cut off';
    socket.emit('data', '');
  });
  process.on('message', () => {
    isOver = true;
  });
  await once(socket, 'connect');
  process.send?.({});
  while (!isOver && problem === undefined) {
    const command = count % 2 === 0 ? 'lock' : 'unlock';
    const startMs = performance.now();
    socket.write(`{"command":"${command}","parameters":{"lockName":"bystander"},"id":${count}}\n`);
    const [reply] = (await once(socket, 'data')) as [Buffer];
    worstMs = Math.max(worstMs, performance.now() - startMs);
    if (problem === undefined && !reply.toString().includes('"status":"ok"')) problem = reply.toString().slice(0, 200);
    count += 1;
    await setTimeout(PAUSE_MS);
  }
  process.send?.({ count, worstMs, ...(problem !== undefined && { problem }) } satisfies Seen);
  process.disconnect();
  socket.destroy();
}

/** A client that sends what it is told. */
class Peer {
  static readonly #all: Peer[] = [];
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
    for (const { socket } of Peer.#all.splice(0)) socket.destroy();
  }

  constructor(socket: Socket) {
    Peer.#all.push(this);
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) this.#replies += 1;
      this.#tail = bytes.subarray(-10_000).toString('latin1');
      this.#wake();
    });
    socket.on('close', () => this.#wake());
  }

  get lastReply(): string {
    return this.#tail;
  }

  send(command: string, parameters: object, id: number | string = 1): void {
    this.socket.write(`${JSON.stringify({ command, parameters, id })}\n`);
  }

  /** Resolves when so many replies have come in all, or the connection is closed. */
  async replied(count: number): Promise<void> {
    while (this.#replies < count && !this.socket.closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function open(port: number, count: number): Promise<Peer[]> {
  return Promise.all(Array.from({ length: count }, () => Peer.open(port)));
}

/** Takes locks by writes of a hundred requests. */
async function fill(peer: Peer, count: number, nameOf: (index: number) => string): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    peer.send('lock', { lockName: nameOf(index) }, index);
    if (index % 100 === 99) await peer.replied(index + 1);
  }
  await peer.replied(count);
}

/** What one kind needs before the bystander comes, and what it does beside it. */
type Kind = (port: number) => Promise<() => Promise<void>>;

/** A lock that somebody holds and many wait for. */
async function crowdFor(port: number, count: number): Promise<Peer> {
  const [holder, crowd] = (await open(port, 2)) as [Peer, Peer];
  holder.send('lock', { lockName: 'hot' });
  await holder.replied(1);
  for (let index = 0; index < count; index += 1) crowd.send('lock', { lockName: 'hot', owner: `${index}` }, index);
  crowd.send('stats', {}, 'last');
  await crowd.replied(1);
  return holder;
}

const KINDS: Readonly<Record<string, Kind>> = {
  /** Many ask a small question with a large answer at the same moment. */
  inspects: async (port) => {
    await crowdFor(port, 1_000);
    const peers = await open(port, many(1_000));
    return async () => {
      for (const peer of peers) peer.send('inspect', { lockName: 'hot', max: 1_000 });
      await Promise.all(peers.map((peer) => peer.replied(1)));
    };
  },
  /** A few ask for page after page beside many locks. */
  lists: async (port) => {
    const fillers = await open(port, 10);
    await Promise.all(
      fillers.map((filler, number) => fill(filler, many(10_000), (index) => `filler/${number}/${index}`)),
    );
    const peers = await open(port, 5);
    return async () => {
      for (const peer of peers) for (let id = 0; id < 100; id += 1) peer.send('list', { max: 1_000 }, id);
      await Promise.all(peers.map((peer) => peer.replied(100)));
    };
  },
  'line listings': async (port) => {
    const filler = await Peer.open(port);
    await fill(filler, many(9_000), (index) => `filler/${index}`);
    const peers = await open(port, many(200));
    return async () => {
      for (const peer of peers) peer.socket.write('d\ni filler/0\n');
      await Promise.all(peers.map((peer) => peer.replied(many(9_000) + 1)));
    };
  },
  /** Answers that nobody reads. */
  unread: async (port) => {
    const filler = await Peer.open(port);
    await fill(filler, many(9_000), (index) => `a name as applications have it/${index}`);
    const peers = await open(port, many(200));
    for (const peer of peers) peer.socket.pause();
    return async () => {
      for (const peer of peers) for (let id = 0; id < 120; id += 1) peer.send('list', { max: 1_000 }, id);
      await setTimeout(isShort ? 100 : 5_000);
    };
  },
  /** Long chains of owners with tags, each of whom waits for the next, and a crowd for one lock. */
  'waiting owners': async (port) => {
    const count = many(5_000);
    const peer = await Peer.open(port);
    for (let index = 0; index < count; index += 1) {
      peer.send('lock', { lockName: `${index}`, owner: `${index}` }, index);
    }
    await peer.replied(count);
    return async () => {
      for (let index = 0; index < count - 1; index += 1) {
        peer.send('lock', { lockName: `${index + 1}`, owner: `${index}` }, `w${index}`);
      }
      const crowd = await Peer.open(port);
      for (let index = 0; index < count; index += 1) {
        crowd.send('lock', { lockName: `own ${index}`, owner: `${index}` }, index);
        crowd.send('lock', { lockName: '0', owner: `${index}` }, `w${index}`);
      }
      crowd.send('stats', {}, 'last');
      await crowd.replied(count + 1);
    };
  },
  'long names': async (port) => {
    const filler = await Peer.open(port);
    await fill(filler, many(300), (index) => `${index} ${'\u00fc'.repeat(29_000)}`);
    const peers = await open(port, 5);
    return async () => {
      for (const peer of peers) peer.socket.write('d\ni nothing\n');
      await Promise.all(peers.map((peer) => peer.replied(many(300) + 1)));
    };
  },
  'bytes that are no text': async (port) => {
    const peers = await open(port, 20);
    const bytes = Buffer.alloc(1_000_000, 0xff);
    bytes.write('g ', 0, 'latin1');
    bytes[bytes.length - 1] = 10;
    return async () => {
      for (const peer of peers) peer.socket.write(bytes);
      await Promise.all(peers.map((peer) => peer.replied(1)));
    };
  },
  /** Waits that all end at the same time. */
  timeouts: async (port) => {
    await crowdFor(port, 0);
    const peers = await open(port, many(100));
    return async () => {
      for (const peer of peers) {
        for (let id = 0; id < 90; id += 1) peer.send('lock', { lockName: 'hot', owner: `${id}`, timeLimit: 1 }, id);
      }
      await Promise.all(peers.map((peer) => peer.replied(90)));
    };
  },
  'messages that never end': async (port) => {
    const peers = await open(port, many(500));
    const bytes = Buffer.alloc(900_000, 0x61);
    bytes.write('{"command":"', 0, 'latin1');
    return async () => {
      for (const peer of peers) peer.socket.write(bytes);
      await setTimeout(isShort ? 100 : 3_000);
    };
  },
  /** Sessions with many locks that end at once. */
  ends: async (port) => {
    const peers = await open(port, many(1_000));
    await Promise.all(peers.map((peer, number) => fill(peer, 50, (index) => `own/${number}/${index}`)));
    return async () => {
      for (const peer of peers) peer.socket.resetAndDestroy();
      await setTimeout(isShort ? 100 : 1_000);
    };
  },
  connections: async (port) => async () => {
    for (let round = 0; round < many(50); round += 1) {
      for (const peer of await open(port, 100)) peer.socket.destroy();
    }
  },
};

const NOTHING_HELD = '"holders":0,"waiting":0,"sessions":1,';

/** What the server still has of what a kind did, once it has had time to end all; undefined for nothing. */
async function findLeft(port: number): Promise<string | undefined> {
  const peer = await Peer.open(port);
  for (let attempt = 1; attempt <= 100; attempt += 1) {
    peer.send('stats', {}, attempt);
    await peer.replied(attempt);
    if (peer.lastReply.includes(NOTHING_HELD)) break;
    await setTimeout(SETTLE_MS);
  }
  Peer.destroyAll();
  return peer.lastReply.includes(NOTHING_HELD) ? undefined : `left behind: ${peer.lastReply.slice(0, 200)}`;
}

function startBystander(port: number): Promise<ChildProcess> {
  const child = fork(PROGRAM, [BYSTANDER, `--port=${port}`]);
  return once(child, 'message').then(() => child);
}

/** The memory of a process while something goes on. */
class MemoryWatch {
  readonly beforeBytes: number;
  mostBytes = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.beforeBytes = residentBytes(pid);
    this.#timer = setInterval(() => {
      this.mostBytes = Math.max(this.mostBytes, residentBytes(pid));
    }, WATCH_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** Runs one kind against a server of its own; returns a row of the table. */
async function measure(name: string, kind: Kind): Promise<string[]> {
  const heap = numberGiven('heap');
  const server = await startServer({
    openFiles: allowedOpenFiles(8_192),
    nodeArgs: heap === undefined ? [] : [`--max-old-space-size=${heap}`],
  });
  const memory = new MemoryWatch(server.pid);
  const attack = await kind(server.port);
  const bystander = await startBystander(server.port);
  const end = await Promise.race([
    attack().then(() => 'over'),
    setTimeout(MAX_SECONDS * 1_000, 'not over', { ref: false }),
  ]);
  await setTimeout(SETTLE_MS);
  const seen = await askChild<Seen>(bystander, {});
  Peer.destroyAll();
  const left = await findLeft(server.port);
  memory.stop();
  for (const problem of [end === 'over' ? undefined : 'it did not end', seen.problem, left]) {
    if (problem === undefined) continue;
    console.error(`${name}: ${problem}`);
    process.exitCode = 1;
  }
  const bytes = [memory.beforeBytes, memory.mostBytes, residentBytes(server.pid)];
  await server.stop();
  return [name, shown(seen.worstMs, 1), shown(seen.count), ...bytes.map((each) => shown(each / BYTES_A_MEBIBYTE))];
}

async function main(): Promise<void> {
  const chosen = textGiven('kind');
  const kinds = Object.entries(KINDS).filter(([name]) => chosen === undefined || name === chosen);
  if (kinds.length === 0) throw new Error(`--kind is ${chosen}; expected one of ${Object.keys(KINDS).join(', ')}`);
  const rows: string[][] = [];
  for (const [name, kind] of kinds) rows.push(await measure(name, kind));
  printTable(['kind', 'bystander waits at most, ms', 'pairs', 'MiB before', 'at most', 'after'], rows);
}

if (process.argv.includes(BYSTANDER)) await beBystander(numberGiven('port') as number);
else await main();
