/** One run of chaos: a server with its proxies, hosts and clients, hurt in rounds, and what the check of it all says. */

import { setTimeout as pause } from 'node:timers/promises';
import { Audit } from './audit.ts';
import { ChaosServer } from './chaos-server.ts';
import { freePorts } from './children.ts';
import { ClientFaults } from './client-faults.ts';
import { CLIENTS, type ClientKind, HOST_CLIENTS, type Route } from './clients.ts';
import { FaultLog } from './fault-log.ts';
import { SERVER_FAULTS } from './faults.ts';
import { History } from './history.ts';
import { ChaosHost } from './hosts.ts';
import { hurtClients } from './hurt-clients.ts';
import { makeRandom, nowMs, type ProxiedPort } from './messages.ts';
import { planRound, type ScheduleOptions } from './schedule.ts';
import { ServerFaults } from './server-faults.ts';
import { watchStarvation } from './starvation.ts';
import { ChaosProxy } from './world.ts';

const LOCAL = '127.0.0.1';
const REQUEST_TIMEOUT_MS = 5_000;
/** Longer than a fault leaves a client without an answer. */
const PATIENCE_MS = 12_000;
/** Between two faults of clients, the same if only some kinds come, and between the end of one of the server and the next. */
const CLIENT_GAP_MS = 1_800;
const CHOSEN_GAP_MS = 600;
const SERVER_GAP_MS = 3_000;
const TRY_AGAIN_MS = 100;
/** Before the first fault, once all clients have asked for something, which takes a while on a busy machine. */
const BEGIN_MS = 1_500;
const LONGEST_BEGIN_MS = 15_000;
/** A hold that nobody has any more may be listed for so long, beside the time-out of its session: time for words to arrive. */
const LEFT_BEHIND_MS = 4_000;
const FINISH_MS = 20_000;
const ANSWER_MS = 3_000;
/** A process is known to have been starved when it runs again. */
const JUDGE_AFTER_MS = 1_000;
/** Several faults may follow each other. */
const GONE_SHARE = 0.4;
const PERMIT_LIMIT = 2;
/** The fewest crashes by which to say that they do not free at once. */
const MIN_CRASHES = 4;

/** How to run. */
export interface RunOptions {
  readonly seed: number;
  readonly isDurable: boolean;
  readonly rounds: number;
  /** Whether clients may have hosts of their own, and the server a disk of its own. */
  readonly hasHosts: boolean;
  /** Only these kinds of faults; all if undefined. */
  readonly only: ReadonlySet<string> | undefined;
  /** Called at once with each violation. */
  readonly tell: (violation: string) => void;
}

/** What came of it. */
export interface RunResult {
  readonly faults: readonly { readonly kind: string }[];
  readonly counts: ReadonlyMap<string, number>;
  readonly violations: readonly string[];
}

/** The processes that may be starved, and whom that hits. */
interface Watched {
  readonly server: ChaosServer;
  readonly proxies: Readonly<Record<'proxy' | 'proxiedListener', ChaosProxy>>;
  readonly clientFaults: ClientFaults;
}
type Whom = Parameters<FaultLog['starved']>[0];

export class ChaosRun {
  readonly #options: RunOptions;
  readonly #clients: readonly ClientKind[];
  readonly #hosts: readonly ChaosHost[];
  readonly #history: History;

  constructor(options: RunOptions) {
    this.#options = options;
    const { hasHosts, isDurable } = options;
    this.#hosts = hasHosts ? HOST_CLIENTS.map(() => new ChaosHost()) : [];
    this.#clients = hasHosts ? [...CLIENTS, ...HOST_CLIENTS] : CLIENTS;
    const bounds = { answerMs: ANSWER_MS, permitLimit: PERMIT_LIMIT, goneShare: GONE_SHARE };
    const log = new FaultLog({ clients: this.#clients, isDurable, extraWaitMs: 0, startMs: nowMs() });
    this.#history = new History({ ...bounds, tell: options.tell }, log);
  }

  /** Resolves once everything that belongs to the run has ended. */
  async run(): Promise<RunResult> {
    const { isDurable, hasHosts, seed } = this.#options;
    const [port = 0, proxiedPort = 0, ...ownPorts] = await freePorts(2 + this.#clients.length);
    const hosts = this.#hosts;
    const server = new ChaosServer({ port, proxiedPort, isDurable, hosts, hasDisk: hasHosts && isDurable });
    const places = this.#clients.map(({ route }, index) => {
      const host = route === 'host' ? hosts[index - CLIENTS.length] : undefined;
      const isProxied = route === 'proxy' || route === 'proxiedListener';
      const place = { host: host?.nearAddress ?? LOCAL, port: isProxied ? (ownPorts[index] as number) : port };
      return { place, host };
    });
    const portsOf = (wanted: Route, serverPort: number): ProxiedPort[] =>
      places.flatMap(({ place }, index) =>
        this.#clients[index]?.route === wanted ? [{ port: place.port, serverPorts: [serverPort] }] : [],
      );
    const proxies = {
      proxy: new ChaosProxy({ ports: portsOf('proxy', port) }),
      proxiedListener: new ChaosProxy({ ports: portsOf('proxiedListener', proxiedPort) }),
    };
    await server.start();
    await Promise.all([proxies.proxy.start(), proxies.proxiedListener.start()]);
    const history = this.#history;
    const audit: Audit = new Audit({ host: LOCAL, port }, history, {
      leftBehindMs: (client) => {
        const { isKept, timeoutMs } =
          client === undefined
            ? { isKept: true, timeoutMs: history.log.longestTimeoutMs }
            : history.log.clientKind(client);
        return LEFT_BEHIND_MS + (isKept ? timeoutMs : 0);
      },
      excusedMs: (fromMs, untilMs) => history.log.serverStarvedMs(fromMs, untilMs),
      clientOf: (pid) => clientFaults.clientOf(pid),
    });
    const clientFaults = new ClientFaults({
      ...{ proxies, places, history, seed, requestTimeoutMs: REQUEST_TIMEOUT_MS, patienceMs: PATIENCE_MS },
      listTokens: () => audit.listTokens(),
    });
    const stopWatch = new AbortController();
    const watched = this.#watchStarvation(stopWatch.signal, { server, proxies, clientFaults });
    const deaf = this.#clients.flatMap(({ route, isKept }, client) =>
      isKept && (route === 'proxy' || route === 'proxiedListener')
        ? [{ client, proxy: proxies[route], port: places[client]?.place.port as number }]
        : [],
    );
    const serverFaults = new ServerFaults({
      ...{ server, proxies, history, deaf },
      force: (name) => audit.force(name),
      restartClients: () => clientFaults.restartAll(),
    });
    await this.#hurt(clientFaults, serverFaults, audit);
    await clientFaults.finish(FINISH_MS);
    stopWatch.abort();
    await watched;
    history.checkHolds();
    this.#checkCrashes(clientFaults.crashes);
    if (server.isRunning) await audit.checkRemains();
    else history.violation(nowMs(), `the server ended by itself: ${server.log}`);
    await Promise.all([proxies.proxy.kill(), proxies.proxiedListener.kill()]);
    await server.remove();
    for (const host of hosts) host.remove();
    const { counts, violations } = history;
    return { faults: history.log.faults, counts, violations };
  }

  async #watchStarvation(signal: AbortSignal, { server, proxies, clientFaults }: Watched): Promise<void> {
    const list = (): (readonly [Whom, number | undefined])[] => [
      [{}, server.pid],
      [{ route: 'proxy' }, proxies.proxy.pid],
      [{ route: 'proxiedListener' }, proxies.proxiedListener.pid],
      ...clientFaults.pids.map((pid, client) => [{ client }, pid] as const),
    ];
    const history = this.#history;
    const found = (whom: Whom, fromMs: number, untilMs: number): void => {
      history.log.starved(whom, fromMs, untilMs);
      history.count('starved for a while');
    };
    await watchStarvation(signal, list, found, (atMs) => history.judge(atMs - JUDGE_AFTER_MS));
  }

  /** Faults of clients and of the server run beside each other. Resolves once none is under way. */
  async #hurt(clientFaults: ClientFaults, serverFaults: ServerFaults, audit: Audit): Promise<void> {
    const { rounds, seed, isDurable, hasHosts, only } = this.#options;
    const randoms = { clients: makeRandom(seed), server: makeRandom(seed + 1) };
    const schedule = { clients: this.#clients, isDurable, hasDisk: hasHosts, only };
    const stopAudit = new AbortController();
    const audited = audit.runUntil(stopAudit.signal);
    const endMs = nowMs() + LONGEST_BEGIN_MS;
    while (this.#history.askingCount < this.#clients.length && nowMs() < endMs) await pause(TRY_AGAIN_MS);
    await pause(BEGIN_MS);
    for (let round = 0; round < rounds; round += 1) {
      await Promise.all([
        hurtClients(clientFaults, { ...schedule, random: randoms.clients }, only ? CHOSEN_GAP_MS : CLIENT_GAP_MS),
        hurtServer(serverFaults, { ...schedule, random: randoms.server }),
      ]);
    }
    stopAudit.abort();
    await audited;
  }

  /** A process that is killed with unread input is reset, so not all crashes free at once. */
  #checkCrashes({ all, kept }: { readonly all: number; readonly kept: number }): void {
    for (let count = 0; count < all; count += 1) {
      this.#history.count(count < kept ? 'crashes: freed later' : 'crashes: freed within 1 s');
    }
    if (all < MIN_CRASHES || kept * 2 <= all) return;
    this.#history.violation(nowMs(), `of crashes, ${kept} of ${all} did not free at once`);
  }
}

async function hurtServer(faults: ServerFaults, schedule: ScheduleOptions): Promise<void> {
  for (const planned of planRound(SERVER_FAULTS, schedule)) {
    await faults.inject(planned);
    await pause(SERVER_GAP_MS * (0.5 + schedule.random()));
  }
}
