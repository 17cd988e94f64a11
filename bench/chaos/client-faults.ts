/** Owns the client processes of a chaos run, since it kills them and starts others, and hurts them and their connections. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Route } from './clients.ts';
import type { ClientFaultKind, Fault } from './faults.ts';
import type { History } from './history.ts';
import type { ChaosHost } from './hosts.ts';
import { type ClientEvent, type ClientPlace, nowMs, type ProxyAction } from './messages.ts';
import type { Planned } from './schedule.ts';
import { ChaosClient, type ChaosProxy } from './world.ts';

/** Whom faults of clients are injected into. */
export interface ClientFaultsOptions {
  readonly proxies: Readonly<Partial<Record<Route, ChaosProxy>>>;
  /** Where each client process connects, and on which host it is. */
  readonly places: readonly { readonly place: ClientPlace; readonly host: ChaosHost | undefined }[];
  readonly history: History;
  readonly seed: number;
  readonly requestTimeoutMs: number;
  readonly patienceMs: number;
  /** Resolves to the tokens of all holders; to undefined when the server does not answer. */
  readonly listTokens: () => Promise<Set<number> | undefined>;
}

interface Running {
  readonly client: ChaosClient;
  readonly run: ReturnType<History['begin']>;
}

/** A crash frees at once, but a process that is killed with unread input is reset. */
const CRASH_MS = 1_000;
/** A crash while the server is down is known only by the client's absence. */
const CALM_MS = 300;
/** So soon after the replies, the server hears nothing any more. */
const LAST_HEARD_MS = 100;
/**
 * By so much after its host has vanished a client's locks are free, if the server sends it something up to 3 s later; and by so much
 * later somebody was granted each.
 */
const VANISHED_MS = 33_000;
const GRANTED_MS = 20_000;
const LOOK_MS = 500;
const LONGEST_WAIT_MS = 1_500;
const WAIT_LOOK_MS = 20;
const ACTIONS: Readonly<Partial<Record<ClientFaultKind, readonly ProxyAction[]>>> = {
  'connection cut': ['cut'],
  'connection reset': ['holdConnections', 'reset'],
  'reset on the client side': ['resetClientSide'],
  'reset on the server side': ['resetServerSide'],
  'half-closed to the server': ['halfCloseToServer'],
  'half-closed to the client': ['halfCloseToClient'],
  'delay to the server': ['holdToServer'],
  'delay to the client': ['holdToClient'],
};

export class ClientFaults {
  /** Of the client processes that were killed while they held something, without a proxy: how many, and how many kept it for long. */
  readonly crashes = { all: 0, kept: 0 };
  readonly #options: ClientFaultsOptions;
  readonly #running: Running[];
  readonly #hurt = new Set<number>();
  /** Clients that are being replaced. */
  readonly #replacing = new Map<number, Promise<number[]>>();
  #startCount = 0;

  constructor(options: ClientFaultsOptions) {
    this.#options = options;
    this.#running = options.places.map((_, index) => this.#start(index));
  }

  /** Begins a fault. Undefined while its target is hurt already. */
  begin(planned: Planned<ClientFaultKind>): Promise<void> | undefined {
    const { client } = planned;
    if (this.#hurt.has(client)) return undefined;
    this.#hurt.add(client);
    return this.#hurtOne(planned).finally(() => this.#hurt.delete(client));
  }

  async #hurtOne({ kind, client, ms }: Planned<ClientFaultKind>): Promise<void> {
    // Whoever holds nothing can lose nothing.
    const endMs = nowMs() + LONGEST_WAIT_MS;
    while (this.#running[client]?.run.holdsAnything() !== true && nowMs() < endMs) await pause(WAIT_LOOK_MS);
    const [fromMs, untilMs] = [nowMs(), Number.POSITIVE_INFINITY];
    const fault: Fault = { kind, client, route: this.#route(client), fromMs, untilMs };
    this.#options.history.log.faults.push(fault);
    await this.#inject(kind, client, ms);
    fault.untilMs = nowMs();
  }

  /** The number of each client's process. */
  get pids(): readonly (number | undefined)[] {
    return this.#running.map(({ client }) => client.pid);
  }

  /** Which client has a process of that number. */
  clientOf(pid: number): number | undefined {
    const index = this.pids.indexOf(pid);
    return index < 0 ? undefined : index;
  }

  /** Kills all client processes, those that are hurt, too, and starts others. */
  async restartAll(): Promise<void> {
    await Promise.all(this.#running.map((_, index) => this.#replace(index)));
  }

  /** Lets all client processes end. */
  async finish(timeoutMs: number): Promise<void> {
    const ended = this.#running.map(async ({ client, run }, index) => {
      const isClean = await client.finish(timeoutMs);
      if (!isClean) this.#options.history.violation(nowMs(), `client ${index} did not end by itself`);
      run.ended(nowMs());
    });
    await Promise.all(ended);
  }

  #route(index: number): Route {
    return this.#options.history.log.clientKind(index).route;
  }

  #start(index: number): Running {
    const { history, places, seed, patienceMs } = this.#options;
    const { place, host } = places[index] as ClientFaultsOptions['places'][number];
    const run = history.begin(index);
    this.#startCount += 1;
    const { isKept, timeoutMs, isFresh = false, isOfLines = false } = history.log.clientKind(index);
    // A request that times out costs a client its connection.
    const requestTimeoutMs = Math.max(this.#options.requestTimeoutMs, timeoutMs);
    const session = isKept ? { timeoutMs } : (false as const);
    const clientArguments = {
      place,
      seed: seed + this.#startCount,
      session,
      isFresh,
      isOfLines,
      requestTimeoutMs,
      patienceMs,
    };
    return { client: new ChaosClient(clientArguments, host, (event: ClientEvent) => run.add(event)), run };
  }

  async #inject(kind: ClientFaultKind, index: number, ms: number): Promise<void> {
    if (kind === 'client killed') await this.#killClient(index);
    else if (kind.startsWith('client')) await this.#pauseClient(kind, index, ms);
    else if (kind === 'host vanished') await this.#vanish(index);
    else if (kind.startsWith('host')) await this.#cutHost(index, ms);
    else await this.#hurtConnection(kind, index, ms);
  }

  async #killClient(index: number): Promise<void> {
    const fromMs = nowMs() - CALM_MS;
    const tokens = await this.#replace(index);
    if (!this.#isAlone(index) || tokens.length === 0) return;
    await pause(CRASH_MS);
    const listed = await this.#options.listTokens();
    const isOfServer = (fault: Fault): boolean => fault.client === undefined && fault.untilMs > fromMs;
    if (listed === undefined || this.#options.history.log.faults.some(isOfServer)) return;
    this.crashes.all += 1;
    if (tokens.some((token) => listed.has(token))) this.crashes.kept += 1;
  }

  /** Kills a client process and starts another; resolves to the tokens of what it held. */
  #replace(index: number): Promise<number[]> {
    const replacing =
      this.#replacing.get(index) ?? this.#killAndStart(index).finally(() => this.#replacing.delete(index));
    this.#replacing.set(index, replacing);
    return replacing;
  }

  async #killAndStart(index: number): Promise<number[]> {
    const { client, run } = this.#running[index] as Running;
    await client.kill();
    const tokens = run.killed(nowMs());
    this.#running[index] = this.#start(index);
    return tokens;
  }

  async #pauseClient(kind: ClientFaultKind, index: number, ms: number): Promise<void> {
    const { client } = this.#running[index] as Running;
    if (kind.startsWith('client stopped')) {
      client.stop();
      await pause(ms);
      client.goOn();
      return;
    }
    client.block(ms);
    if (kind === 'client blocked and cut off') {
      // Replies lie in the socket of the blocked process before the server loses its side.
      await pause(ms / 10);
      this.#act(index, 'holdConnections', 'resetServerSide');
    }
    await pause(ms);
    this.#act(index, 'free');
  }

  async #cutHost(index: number, ms: number): Promise<void> {
    const host = this.#options.places[index]?.host;
    host?.cut();
    await pause(ms);
    host?.plug();
  }

  /** The process ends while nobody can hear of it. Its locks are free in time, and others are granted them. */
  async #vanish(index: number): Promise<void> {
    const { places, history } = this.#options;
    const { client, run } = this.#running[index] as Running;
    const host = places[index]?.host;
    host?.cut();
    await client.kill();
    const fromMs = nowMs();
    const held = history.heldBy(new Set([index]));
    const tokens = new Set(run.killed(fromMs));
    while (tokens.size > 0) {
      await pause(LOOK_MS);
      const listed = await this.#options.listTokens();
      if (listed === undefined) continue;
      for (const token of tokens) if (!listed.has(token)) tokens.delete(token);
      const lateMs = nowMs() - fromMs - VANISHED_MS - history.log.serverHurtMs(fromMs, nowMs());
      if (lateMs <= 0 || tokens.size === 0) continue;
      history.violation(nowMs(), `left behind: tokens ${[...tokens]} of a client whose host has vanished`);
      break;
    }
    await this.#awaitGrants(held);
    host?.plug();
    await this.#replace(index);
  }

  /** Others ask for these locks all the time. */
  async #awaitGrants(freed: ReturnType<History['heldBy']>): Promise<void> {
    const { history } = this.#options;
    const fromMs = nowMs();
    let left = freed;
    for (;;) {
      left = left.filter(({ name, token }) => !history.isSuperseded(name, token));
      const waitedMs = nowMs() - fromMs - history.log.serverHurtMs(fromMs, nowMs());
      if (left.length === 0 || waitedMs > GRANTED_MS) break;
      await pause(LOOK_MS);
    }
    const names = left.map(({ name }) => name).join(', ');
    if (left.length > 0)
      history.violation(nowMs(), `a waiter forgotten: nobody was granted ${names} of a vanished host`);
  }

  async #hurtConnection(kind: ClientFaultKind, index: number, ms: number): Promise<void> {
    this.#act(index, ...(ACTIONS[kind] ?? []));
    if (kind === 'replies lost before a cut') await this.#loseReplies(index, ms);
    if (kind === 'replies late and cut off') await this.#cutOff(index, ms);
    else await pause(ms);
    this.#act(index, 'free');
  }

  async #loseReplies(index: number, ms: number): Promise<void> {
    this.#act(index, 'dropToClient');
    await pause(ms);
    this.#act(index, 'reset');
  }

  /** Replies are on their way for long, and arrive when the server has lost the connection long since. */
  async #cutOff(index: number, ms: number): Promise<void> {
    this.#act(index, 'holdToClient');
    await pause(LAST_HEARD_MS);
    this.#act(index, 'holdToServer');
    await pause(ms / 4);
    this.#act(index, 'holdConnections', 'resetServerSide', 'freeReplies');
    await pause(ms);
  }

  /** Whether nothing but the server hears of its end. */
  #isAlone(index: number): boolean {
    return this.#route(index) === 'direct' || this.#route(index) === 'host';
  }

  #act(index: number, ...actions: readonly ProxyAction[]): void {
    const { proxies, places } = this.#options;
    const port = places[index]?.place.port;
    if (port === undefined) return;
    for (const action of actions) proxies[this.#route(index)]?.act(port, action);
  }
}
