/** Injects the faults of a chaos run, one plan for each seed, and tells the history of them. */

import { setTimeout as pause } from 'node:timers/promises';
import { costOf, drawKind, FAULT_KINDS, type Fault, type FaultKind, type Route } from './faults.ts';
import { type History, ROUTES } from './history.ts';
import { type ClientEvent, nowMs, type ProxyAction } from './messages.ts';
import { ChaosClient, type ChaosProxy, type ChaosServer } from './world.ts';

/** What faults are injected into. */
export interface InjectorOptions {
  readonly server: ChaosServer;
  readonly proxies: Readonly<Record<Exclude<Route, 'direct'>, ChaosProxy>>;
  /** Where each client process connects. */
  readonly ports: readonly number[];
  readonly history: History;
  readonly random: () => number;
  readonly seed: number;
  readonly sessionMs: number;
  readonly requestTimeoutMs: number;
  readonly keepsOverRestart: boolean;
}

interface Place {
  client: ChaosClient;
  run: ReturnType<History['begin']>;
  /** Whether a fault of this process is under way. */
  isHurt: boolean;
}

/** One fault of the plan. */
interface Planned {
  readonly kind: FaultKind;
  readonly client: number;
  readonly ms: number;
}

/** A crash frees at once, but a process that is killed with unread input is reset. */
const CRASH_MS = 1_000;

/** Owns the client processes, since it kills them and starts others. */
export class Injector {
  /** Of the client processes that were killed while they held something, without a proxy: how many, and how many kept it for long. */
  readonly crashes = { all: 0, kept: 0 };
  readonly #options: InjectorOptions;
  readonly #places: Place[];
  readonly #running = new Set<Promise<void>>();
  #isServerHurt = false;
  #startCount = 0;

  constructor(options: InjectorOptions) {
    this.#options = options;
    this.#places = ROUTES.map((_, index) => ({ ...this.#startClient(index), isHurt: false }));
  }

  /** Draws the next fault, and begins it unless its target is hurt already. */
  injectNext(listTokens: () => Promise<Set<number> | undefined>): void {
    const { random } = this.#options;
    const planned = this.#draw(random);
    const place = this.#places[planned.client] as Place;
    const isOfAll = planned.kind.startsWith('server') || planned.kind === 'proxy killed';
    if (isOfAll ? this.#isServerHurt || this.#places.some(({ isHurt }) => isHurt) : place.isHurt || this.#isServerHurt)
      return;
    const running = this.#inject(planned, isOfAll, listTokens).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves once no fault is under way. */
  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Lets all client processes end. */
  async finish(timeoutMs: number): Promise<void> {
    const ended = this.#places.map(async ({ client, run }, index) => {
      const isClean = await client.finish(timeoutMs);
      if (!isClean) this.#options.history.violation(nowMs(), `client ${index} did not end by itself`);
      run.ended(nowMs());
    });
    await Promise.all(ended);
  }

  #startClient(index: number): { client: ChaosClient; run: ReturnType<History['begin']> } {
    const { history, ports, seed, sessionMs, requestTimeoutMs } = this.#options;
    const run = history.begin(index, ROUTES[index] as Route);
    this.#startCount += 1;
    const clientArguments = {
      port: ports[index] as number,
      seed: seed + this.#startCount,
      sessionMs,
      requestTimeoutMs,
    };
    return { client: new ChaosClient(clientArguments, (event: ClientEvent) => run.add(event)), run };
  }

  /** Always draws as many numbers, so that a plan does not depend on how the last fault went. */
  #draw(random: () => number): Planned {
    const kind = drawKind(random);
    const { routes, ms, timeouts } = FAULT_KINDS[kind];
    const clients = ROUTES.flatMap((route, index) => (routes.includes(route) ? [index] : []));
    const client = clients[Math.floor(random() * clients.length)] as number;
    const { sessionMs } = this.#options;
    const [from, to] = ms ?? [(timeouts?.[0] ?? 0) * sessionMs, (timeouts?.[1] ?? 0) * sessionMs];
    return { kind, client, ms: from + random() * (to - from) };
  }

  async #inject(
    { kind, client, ms }: Planned,
    isOfAll: boolean,
    listTokens: () => Promise<Set<number> | undefined>,
  ): Promise<void> {
    const { server, keepsOverRestart, history } = this.#options;
    const route = ROUTES[client] as Route;
    const { isDurable } = server;
    const isOfServer = kind.startsWith('server');
    const place = this.#places[client] as Place;
    if (isOfServer && isDurable !== (kind === 'server with a state directory killed')) return;
    const fromMs = nowMs();
    const fault: Fault = {
      kind,
      client: isOfAll ? undefined : client,
      route: isOfServer ? undefined : route,
      fromMs,
      untilMs: Number.POSITIVE_INFINITY,
      ...costOf(kind, route, { isDurable, keepsOverRestart }),
    };
    history.faults.push(fault);
    if (isOfAll) this.#isServerHurt = true;
    else place.isHurt = true;
    if (isOfServer) await this.#killServer(ms);
    else if (kind === 'proxy killed') await this.#killProxy(route, ms);
    else if (kind === 'client killed') await this.#killClient(client, listTokens);
    else if (kind.startsWith('client')) await this.#pauseClient(kind, client, ms);
    else await this.#hurtConnection(kind, client, ms);
    fault.untilMs = nowMs();
    if (isOfAll) this.#isServerHurt = false;
    else place.isHurt = false;
  }

  async #killServer(ms: number): Promise<void> {
    const { server } = this.#options;
    await server.kill();
    await pause(ms);
    await server.start(!server.isDurable);
  }

  async #killProxy(route: Route, ms: number): Promise<void> {
    const proxy = this.#options.proxies[route as Exclude<Route, 'direct'>];
    await proxy.kill();
    await pause(ms);
    await proxy.start();
  }

  async #killClient(index: number, listTokens: () => Promise<Set<number> | undefined>): Promise<void> {
    const place = this.#places[index] as Place;
    await place.client.kill();
    const tokens = place.run.killed(nowMs());
    Object.assign(place, this.#startClient(index));
    if (ROUTES[index] !== 'direct' || tokens.length === 0) return;
    await pause(CRASH_MS);
    const listed = await listTokens();
    if (listed === undefined) return;
    this.crashes.all += 1;
    if (tokens.some((token) => listed.has(token))) this.crashes.kept += 1;
  }

  async #pauseClient(kind: FaultKind, index: number, ms: number): Promise<void> {
    const { client } = this.#places[index] as Place;
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

  async #hurtConnection(kind: FaultKind, index: number, ms: number): Promise<void> {
    if (kind === 'connection cut') this.#act(index, 'cut');
    if (kind === 'connection reset') this.#act(index, 'holdConnections', 'reset');
    if (kind === 'reset on the client side') this.#act(index, 'resetClientSide');
    if (kind === 'reset on the server side') this.#act(index, 'resetServerSide');
    if (kind === 'half-closed to the server') this.#act(index, 'halfCloseToServer');
    if (kind === 'half-closed to the client') this.#act(index, 'halfCloseToClient');
    if (kind === 'delay to the server') this.#act(index, 'holdToServer');
    if (kind === 'delay to the client') this.#act(index, 'holdToClient');
    if (kind === 'replies lost before a cut') await this.#loseReplies(index, ms);
    if (kind === 'replies late, and cut off') await this.#cutOff(index, ms);
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
    await pause(ms / 4);
    this.#act(index, 'holdConnections', 'resetServerSide', 'freeReplies');
    await pause(ms);
  }

  #act(index: number, ...actions: readonly ProxyAction[]): void {
    const { proxies, ports } = this.#options;
    const route = ROUTES[index] as Route;
    if (route === 'direct') return;
    for (const action of actions) proxies[route].act(ports[index] as number, action);
  }
}
