/** Hurts the server of a chaos run, its disk and the proxies. One at a time, since each hits everybody. */

import { setTimeout as pause } from 'node:timers/promises';
import type { ChaosServer } from './chaos-server.ts';
import type { Route } from './clients.ts';
import type { Fault, ServerFaultKind } from './faults.ts';
import type { History } from './history.ts';
import { nowMs, type ProxyAction } from './messages.ts';
import type { Planned } from './schedule.ts';
import type { ChaosProxy } from './world.ts';

/** What a server ends with that cannot use its state directory: see lib/cli/exit-codes.ts. */
const CANNOT_USE_STATE = 5;
/** A server that is told to end does so within this time. */
const END_MS = 5_000;
/** Some of the locks that are taken from clients that do not hear of it are held until they come back. */
const MIN_VICTIMS = 2;
const LONGEST_WAIT_MS = 1_000;
/** After a restart and the time-outs of its sessions, a lock is granted within this time. */
const GRANT_MS = 5_000;
const LOOK_MS = 20;

/** What faults are injected into. */
export interface ServerFaultsOptions {
  readonly server: ChaosServer;
  readonly proxies: Readonly<Record<'proxy' | 'proxiedListener', ChaosProxy>>;
  readonly history: History;
  /** Clients behind proxies that can keep what the server says from them. */
  readonly deaf: readonly { readonly client: number; readonly proxy: ChaosProxy; readonly port: number }[];
  /** Takes a lock from whoever holds it. Resolves to whether the server did. */
  readonly force: (name: string) => Promise<boolean | 'unknown'>;
  /** Kills all clients and starts others. */
  readonly restartClients: () => Promise<void>;
}

export class ServerFaults {
  readonly #options: ServerFaultsOptions;
  /** Each kind's way. Resolves once the server or the proxy is back. */
  readonly #ways: Readonly<Record<ServerFaultKind, (ms: number) => Promise<void>>>;

  constructor(options: ServerFaultsOptions) {
    this.#options = options;
    const { server, proxies } = options;
    this.#ways = {
      'server without state killed': (ms) => this.#kill(ms),
      'server without state terminated': (ms) => this.#terminate(ms),
      'server killed': (ms) => this.#kill(ms),
      'server killed twice': (ms) => this.#killTwice(ms),
      'server terminated': (ms) => this.#terminate(ms),
      'server stopped': (ms) => this.#stop(ms),
      'server stopped for long': (ms) => this.#stop(ms),
      'server killed and clock set back': (ms) => this.#kill(ms, 'yesterday'),
      'all killed and clock set back': (ms) => this.#killAll(ms),
      'server killed and disk full': () =>
        this.#killWithoutDisk(
          () => server.disk?.fill(),
          () => server.disk?.empty(),
        ),
      'server killed and disk read-only': () =>
        this.#killWithoutDisk(
          () => server.disk?.setReadOnly(true),
          () => server.disk?.setReadOnly(false),
        ),
      'server killed and loss unheard': (ms) => this.#killUnheard(ms),
      'server killed and loss unwritten': (ms) => this.#killUnheard(ms, 'unwritten'),
      'disk full': (ms) => this.#fillDisk(ms),
      'second server on the state': () => this.#startSecond(),
      'proxy killed': (ms) => this.#killProxy(proxies.proxy, ms),
      'known proxy killed': (ms) => this.#killProxy(proxies.proxiedListener, ms),
    };
  }

  /** Resolves once the fault is over. */
  async inject({ kind, ms }: Planned<ServerFaultKind>): Promise<void> {
    const { history, server } = this.#options;
    if (!server.isRunning) {
      history.violation(nowMs(), `the server ended by itself: ${server.log}`);
      await server.start();
    }
    const route = routeOf(kind);
    const [fromMs, untilMs] = [nowMs(), Number.POSITIVE_INFINITY];
    const fault: Fault = { kind, client: undefined, route, fromMs, untilMs };
    history.log.faults.push(fault);
    await this.#ways[kind](ms);
    fault.untilMs = nowMs();
  }

  async #kill(ms: number, clock?: 'yesterday'): Promise<void> {
    const { server } = this.#options;
    await server.kill();
    await pause(ms);
    await server.start(clock);
  }

  /** Tokens grow although nobody is left to tell of an earlier one. */
  async #killAll(ms: number): Promise<void> {
    const { server, history, restartClients } = this.#options;
    await server.kill();
    await restartClients();
    await pause(ms);
    await server.start('yesterday');
    // Only a grant tells. The sessions of before do not come back, so it takes their time-out.
    const before = history.grantCount;
    await this.#waitFor(() => history.grantCount > before, history.log.longestTimeoutMs + GRANT_MS);
  }

  /** The second time, clients are on their way back. */
  async #killTwice(ms: number): Promise<void> {
    await this.#kill(0);
    await pause(ms);
    await this.#kill(0);
  }

  async #terminate(ms: number): Promise<void> {
    const { server, history } = this.#options;
    const fromMs = nowMs();
    const code = await server.terminate(END_MS);
    const isStarved = code === undefined && history.log.serverStarvedMs(fromMs, nowMs()) > 0;
    if (code !== 0 && !isStarved) {
      history.violation(nowMs(), `the server was told to end, and did with code ${code}: ${server.log}`);
    }
    await pause(ms);
    await server.start();
  }

  async #stop(ms: number): Promise<void> {
    const { server } = this.#options;
    server.stop();
    await pause(ms);
    server.goOn();
  }

  async #killWithoutDisk(harm: () => void, mend: () => void): Promise<void> {
    const { server } = this.#options;
    await server.kill();
    harm();
    await this.#expectRefusal('its disk takes nothing');
    mend();
    await server.start();
  }

  /** Clients lose locks and do not hear of it; then the server forgets all that is not on record, and they come back (L3). */
  async #killUnheard(ms: number, loss?: 'unwritten'): Promise<void> {
    const { server, history, deaf, force } = this.#options;
    const tellDeaf = (action: ProxyAction): void => {
      for (const { proxy, port } of deaf) proxy.act(port, action);
    };
    const victims = new Set(deaf.map(({ client }) => client));
    await this.#waitFor(() => history.heldBy(victims).length >= MIN_VICTIMS);
    tellDeaf('dropToClient');
    if (loss === 'unwritten') server.forbidWriting();
    const held = history.heldBy(victims);
    const taken = held.map(async ({ name }) => {
      const fromMs = nowMs();
      const isForced = await force(name);
      if (isForced === false) return;
      history.forced(name, fromMs, nowMs());
      if (isForced === true) history.count('locks forced unheard');
    });
    await Promise.all(taken);
    // Others have the locks and leave them, as they do when they may.
    await this.#waitFor(() => held.every(({ name, token }) => history.isSuperseded(name, token)));
    await pause(ms);
    await server.kill();
    tellDeaf('free');
    await server.start();
  }

  /** Resolves once something is so, or after a while. */
  async #waitFor(isSo: () => boolean, longestMs = LONGEST_WAIT_MS): Promise<void> {
    const endMs = nowMs() + longestMs;
    while (!isSo() && nowMs() < endMs) await pause(LOOK_MS);
  }

  async #fillDisk(ms: number): Promise<void> {
    const { disk } = this.#options.server;
    disk?.fill();
    await pause(ms);
    disk?.empty();
  }

  async #startSecond(): Promise<void> {
    await this.#expectRefusal('another has its state directory');
  }

  async #expectRefusal(why: string): Promise<void> {
    const { server, history } = this.#options;
    const code = await server.tryStart();
    if (code === CANNOT_USE_STATE) return;
    const what = code === undefined ? 'served' : `ended with code ${code}`;
    history.violation(nowMs(), `a server ${what}, although ${why}`);
  }

  async #killProxy(proxy: ChaosProxy, ms: number): Promise<void> {
    await proxy.kill();
    await pause(ms);
    await proxy.start();
  }
}

/** Undefined when it hits all routes. */
function routeOf(kind: ServerFaultKind): Route | undefined {
  if (kind === 'proxy killed') return 'proxy';
  return kind === 'known proxy killed' ? 'proxiedListener' : undefined;
}
