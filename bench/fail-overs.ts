/**
 * Has the leader of three servers killed, told to hand over, restarted and stopped for half a minute while locks are held and
 * awaited, and prints how soon the next one grants. The servers run on an etcd of three members, whose disks are not waited for.
 * Ends with code 1 when a holder lost its lock, two held one, a token fell, or a leader answered once it had been replaced.
 *
 *     npm run build && node dist/bench/fail-overs.js [--short] [--times=50] [--lease=5]
 */

import { setTimeout as pause } from 'node:timers/promises';
import { LockClient, type LockHandle } from 'holdfast';
import { startEtcd } from '../test/support/etcd.ts';
import { freePort } from '../test/support/free-port.ts';
import { ClusterServer } from './cluster-server.ts';
import { LateAnswers } from './late-answers.ts';
import { isShort, numberGiven, printTable, quantile, shown } from './program.ts';

const LOCKS = isShort ? 20 : 200;
const WAITERS_A_LOCK = 2;
const TIMES = numberGiven('times') ?? (isShort ? 1 : 50);
const LEASE_SECONDS = numberGiven('lease') ?? (isShort ? 2 : 5);
/** The connection of a leader that stands still does not break, so its clients leave it only when it has not answered for long. */
const STOP_MS = isShort ? 9_000 : 30_000;
const STANDS_STILL_MS = 100;
const STOPS = Math.min(TIMES, 3);
const LEAST_TIMEOUT_MS = 3_000 * LEASE_SECONDS;
/** The next leader begins above all tokens that the one before had reserved. */
const LEAST_GAP = 10_000;
const JOIN_TIMEOUT_MS = 60_000;

/** What went wrong so far. */
const wrong = { lost: 0, overlaps: 0, fallen: 0, answers: 0 };

interface Granted {
  readonly client: LockClient;
  readonly handle: LockHandle;
}

/** One lock, which clients take turns to hold. */
class Turns {
  readonly #name: string;
  readonly #waiting = new Map<LockClient, Promise<Granted>>();
  #holder: Granted;

  static async start(name: string, [first, ...others]: readonly LockClient[]): Promise<Turns> {
    const client = first as LockClient;
    const turns = new Turns(name, { client, handle: await client.lock(name) });
    for (const other of others) await turns.#queue(other);
    return turns;
  }

  private constructor(name: string, holder: Granted) {
    this.#name = name;
    this.#holder = holder;
  }

  /** Counts what the fail-over has cost. */
  async check(): Promise<void> {
    const { handle } = this.#holder;
    const isConfirmed = await handle.confirm().catch(() => false);
    if (isConfirmed && !handle.signal.aborted) return;
    wrong.lost += 1;
    await this.#next();
  }

  /** The holder releases and waits again. */
  async pass(): Promise<void> {
    await this.#holder.handle.release();
    await this.#next();
  }

  async #next(): Promise<void> {
    const before = this.#holder;
    // A leader that was killed leaves no order behind.
    const holder = await Promise.race(this.#waiting.values());
    this.#holder = holder;
    this.#waiting.delete(holder.client);
    if (before.handle.isHeld) wrong.overlaps += 1;
    if (holder.handle.token <= before.handle.token) wrong.fallen += 1;
    await this.#queue(before.client);
  }

  async #queue(client: LockClient): Promise<void> {
    const granted = client
      .lock(this.#name, { waitMs: Number.POSITIVE_INFINITY })
      .then((handle) => ({ client, handle }));
    // Closing the client in the end rejects it.
    granted.catch(() => {});
    this.#waiting.set(client, granted);
    const expected = this.#waiting.size;
    while ((await client.inspect(this.#name)).waiters.length < expected) await pause(5);
  }
}

/** Three servers, and their clients. */
class Scene {
  readonly servers: readonly ClusterServer[];
  readonly #clients: readonly LockClient[];
  /** Asks for free locks. */
  readonly #bystander: LockClient;
  readonly #turns: readonly Turns[];
  #token = 0;
  #count = 0;

  static async start(etcd: readonly string[]): Promise<Scene> {
    const servers: ClusterServer[] = [];
    for (const name of ['a', 'b', 'c']) {
      const server = new ClusterServer({ name, port: await freePort(), etcd, leaseSeconds: LEASE_SECONDS });
      servers.push(server);
      await server.start();
    }
    const clients: LockClient[] = [];
    const connect = async (): Promise<LockClient> => {
      const client = await LockClient.connect({
        servers: servers.map(({ address }) => address),
        reconnect: { minDelayMs: 50, maxDelayMs: 500 },
        ...(isShort ? { session: { timeoutMs: LEAST_TIMEOUT_MS } } : {}),
      });
      clients.push(client);
      return client;
    };
    const turns: Turns[] = [];
    while (turns.length < LOCKS) {
      const own = await Promise.all(Array.from({ length: 1 + WAITERS_A_LOCK }, connect));
      turns.push(await Turns.start(`lock ${turns.length}`, own));
    }
    return new Scene(servers, await connect(), clients, turns);
  }

  private constructor(
    servers: readonly ClusterServer[],
    bystander: LockClient,
    clients: readonly LockClient[],
    turns: readonly Turns[],
  ) {
    this.servers = servers;
    this.#bystander = bystander;
    this.#clients = clients;
    this.#turns = turns;
  }

  /** Resolves to the leader, once all servers belong to the cluster. */
  async leader(): Promise<ClusterServer> {
    const endMs = performance.now() + JOIN_TIMEOUT_MS;
    for (;;) {
      const { nodes, leader } = await this.#bystander.cluster();
      if (nodes.length === this.servers.length) return this.#named(leader.node);
      if (performance.now() > endMs) throw new Error(`only ${nodes.length} servers came back: ${this.#logs()}`);
      await pause(20);
    }
  }

  /** Resolves to the milliseconds until the next leader grants a lock that was free. */
  async failOver(act: () => unknown): Promise<number> {
    await this.#grant();
    const startMs = performance.now();
    const acting = act();
    while ((await this.#grant()) < LEAST_GAP);
    const tookMs = performance.now() - startMs;
    await acting;
    await Promise.all(this.#turns.map((turns) => turns.check()));
    await this.#turns[this.#count % this.#turns.length]?.pass();
    this.#count += 1;
    return tookMs;
  }

  /** Takes a lock and releases it; resolves to how far its token is above the last one. */
  async #grant(): Promise<number> {
    const handle = await this.#bystander.lock('free');
    const gap = handle.token - this.#token;
    if (gap <= 0) wrong.fallen += 1;
    this.#token = handle.token;
    await handle.release();
    return gap;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    for (const server of this.servers) await server.remove();
  }

  #named(name: string): ClusterServer {
    return this.servers.find((server) => server.name === name) as ClusterServer;
  }

  #logs(): string {
    return this.servers.map(({ name, log }) => `\n${name}:\n${log}`).join('');
  }
}

const STOPPED = `stopped for ${STOP_MS / 1_000} s`;

/** How the leader fails. Each resolves once its process is back. */
const FAULTS = {
  'kill -9': async (leader: ClusterServer) => {
    await leader.kill();
    await leader.start();
  },
  'step-down': (leader: ClusterServer) => leader.stepDown(),
  restart: (leader: ClusterServer) => leader.restart(),
  [STOPPED]: async (leader: ClusterServer) => {
    const late = await LateAnswers.connect(leader.address);
    leader.freeze();
    // It does not stand still at once.
    await pause(STANDS_STILL_MS);
    late.ask();
    await pause(STOP_MS);
    leader.goOn();
    wrong.answers += await late.count();
  },
} as const;

const etcd = await startEtcd({ memberCount: 3 });
const scene = await Scene.start(etcd.endpoints);
const rows: string[][] = [];
for (const [name, fault] of Object.entries(FAULTS)) {
  const timesMs: number[] = [];
  const lostBefore = wrong.lost;
  const times = name === STOPPED ? STOPS : TIMES;
  while (timesMs.length < times) {
    const leader = await scene.leader();
    timesMs.push(await scene.failOver(() => fault(leader)));
  }
  timesMs.sort((a, b) => a - b);
  const quantiles = [0.5, 0.99, 1].map((share) => shown(quantile(timesMs, share)));
  rows.push([name, String(times), ...quantiles, String(wrong.lost - lostBefore)]);
}
console.log(`${LOCKS} holders, ${LOCKS * WAITERS_A_LOCK} waiters, lease ${LEASE_SECONDS} s\n`);
printTable(['the leader', 'times', 'first grant p50 ms', 'p99 ms', 'max ms', 'lost locks'], rows);
console.log(`\nheld by two: ${wrong.overlaps}, tokens that fell: ${wrong.fallen}, late answers: ${wrong.answers}`);
await scene.stop();
await etcd.stop();
if (Object.values(wrong).some((count) => count > 0)) process.exitCode = 1;
