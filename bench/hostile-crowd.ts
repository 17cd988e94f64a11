/** Hostile and unlucky clients of all kinds at the same time, each of which does one thing after the other. */

import { setTimeout } from 'node:timers/promises';
import { Peer } from './hostile-peer.ts';

const HOT_NAMES = 50;
const MS_A_MINUTE = 60_000;
/** Nobody waits longer than this for the answers to one thing. */
const PATIENCE_MS = 2_000;
/** The shortest that the server admits: what is suspended last ends so long after the crowd. */
const SESSION_SECONDS = 10;

/** Numbers that are the same in each run with the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number from 0, below the bound. */
  below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * bound);
  }
}

/** One of the crowd: it has a new connection for each thing that it does. */
interface Visitor {
  readonly port: number;
  readonly number: number;
  readonly peer: Peer;
  readonly random: Random;
}

/** Resolves when so many answers have come, or when the client has lost its patience. */
function answered(peer: Peer, count: number): Promise<unknown> {
  return Promise.race([peer.replied(count), setTimeout(PATIENCE_MS, undefined, { ref: false })]);
}

function hot({ random }: Visitor): string {
  return `hot ${random.below(HOT_NAMES)}`;
}

function sendEach(peer: Peer, count: number, command: string, parametersOf: (index: number) => object): void {
  for (let index = 0; index < count; index += 1) peer.send(command, parametersOf(index), index);
}

async function ask(peer: Peer, count: number, command: string, parametersOf: (index: number) => object): Promise<void> {
  const before = peer.replyCount;
  sendEach(peer, count, command, parametersOf);
  await answered(peer, before + count);
}

/** Opens a session and takes locks, loses its connection, and comes back with or without them. */
async function resume({ port, number, peer, random }: Visitor): Promise<void> {
  await ask(peer, 1, 'hello', () => ({ protocol: 1, session: { timeout: SESSION_SECONDS } }));
  const [, id] = /"id":"([\w-]{16})"/.exec(peer.lastReply) ?? [];
  const [, secret] = /"secret":"([\w-]{32})"/.exec(peer.lastReply) ?? [];
  if (secret === undefined) return;
  await ask(peer, 500, 'lock', (index) => ({ lockName: `session ${number} ${index}` }));
  sendEach(peer, 100, 'lock', (index) => ({ lockName: `hot ${index % HOT_NAMES}`, owner: `${index}` }));
  if (random.below(2) === 0) peer.reset();
  const next = await Peer.open(port);
  const holds = random.below(2) === 0 ? [] : Array.from({ length: 9_000 }, (_, index) => index);
  await ask(next, 1, 'hello', () => ({ protocol: 1, session: { timeout: SESSION_SECONDS, id, secret, holds } }));
  if (random.below(4) === 0) await ask(next, 1, 'bye', () => ({}));
  next.reset();
}

const ACTS: readonly ((visitor: Visitor) => Promise<unknown>)[] = [
  (visitor) => ask(visitor.peer, 50, 'inspect', () => ({ lockName: hot(visitor), max: 1_000 })),
  ({ peer }) => ask(peer, 20, 'list', () => ({ max: 1_000 })),
  ({ peer }) => ask(peer, 3, 'who', () => ({ max: 1_000 })),
  async ({ peer }) => {
    peer.socket.pause();
    sendEach(peer, 100, 'list', () => ({ max: 1_000 }));
    await setTimeout(PATIENCE_MS);
  },
  (visitor) => {
    visitor.peer.socket.write(`d\ni ${hot(visitor)}\ndump\n`);
    return setTimeout(PATIENCE_MS / 2);
  },
  ({ peer, number }) => ask(peer, 2_000, 'lock', (index) => ({ lockName: `own ${number} ${index}` })),
  async ({ peer, number }) => {
    await ask(peer, 2_000, 'lock', (index) => ({ lockName: `own ${number} ${index}` }));
    await ask(peer, 1, 'unlockAll', () => ({}));
  },
  ({ peer, number }) =>
    ask(peer, 30, 'lock', (index) => ({ lockName: `${number} ${index} ${'\udcff'.repeat(9_000)}` })),
  (visitor) =>
    ask(visitor.peer, 300, 'lock', (index) => ({ lockName: hot(visitor), owner: `${index % 100}`, timeLimit: 1 })),
  (visitor) => ask(visitor.peer, 500, 'lock', () => ({ lockName: hot(visitor), mode: 'shared', timeLimit: 0.5 })),
  async (visitor) => {
    const locks = Array.from({ length: HOT_NAMES }, (_, index) => ({ lockName: `hot ${index}`, mode: 'shared' }));
    await ask(visitor.peer, 100, 'lockAll', (index) => ({ locks, owner: `${index}`, timeLimit: 1 }));
  },
  async (visitor) => {
    await ask(visitor.peer, 20, 'lock', () => ({ lockName: hot(visitor), stealable: true, timeLimit: 0.2 }));
    await ask(visitor.peer, 20, 'lock', () => ({ lockName: hot(visitor), steal: true }));
  },
  async (visitor) => {
    await ask(visitor.peer, 50, 'lock', () => ({ lockName: hot(visitor), lease: 0.2, timeLimit: 1 }));
    visitor.peer.socket.end();
  },
  ({ peer }) => {
    peer.socket.write(Buffer.concat([Buffer.from('g '), Buffer.alloc(900_000, 0xff), Buffer.from('\n')]));
    return answered(peer, 1);
  },
  ({ peer }) => {
    peer.socket.write(`{"command":"ping","values":${'['.repeat(200_000)}${']'.repeat(200_000)}}\n`);
    return answered(peer, 1);
  },
  ({ peer }) => {
    peer.socket.write(`{"command":"${'a'.repeat(900_000)}`);
    return setTimeout(PATIENCE_MS / 2);
  },
  ({ peer }) => {
    peer.socket.write('GET / HTTP/1.1\r\nUpgrade: websocket\r\n');
    return setTimeout(PATIENCE_MS / 2);
  },
  ({ peer, random }) => {
    peer.socket.write(Buffer.from(Array.from({ length: 5_000 }, () => random.below(256))));
    return setTimeout(PATIENCE_MS / 10);
  },
  async ({ port }) => {
    for (const peer of await Promise.all(Array.from({ length: 20 }, () => Peer.open(port)))) peer.socket.destroy();
  },
  resume,
  resume,
];

async function visit(port: number, number: number, random: Random): Promise<void> {
  const peer = await Peer.open(port);
  const act = ACTS[random.below(ACTS.length)] as (typeof ACTS)[number];
  await act({ port, number, peer, random });
  if (random.below(2) === 0) peer.reset();
  else peer.socket.destroy();
}

/** So many clients, each with a random order of its own that follows from its number. */
export async function crowd(port: number, clients: number, minutes: number): Promise<void> {
  const endMs = performance.now() + minutes * MS_A_MINUTE;
  const beOne = async (number: number): Promise<void> => {
    const random = new Random(number);
    while (performance.now() < endMs) await visit(port, number, random);
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => beOne(number + 1)));
}
