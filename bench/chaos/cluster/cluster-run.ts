/** One run of chaos with a cluster: its servers, its etcd and clients, hurt in rounds, and what the check of it all says. */

import { setTimeout as pause } from 'node:timers/promises';
import { Audit } from '../audit.ts';
import { ClientFaults } from '../client-faults.ts';
import { type ClientKind, clusterClients } from '../clients.ts';
import { FaultLog } from '../fault-log.ts';
import { CLUSTER_FAULTS } from '../faults.ts';
import { History } from '../history.ts';
import { hurtClients } from '../hurt-clients.ts';
import { makeRandom, nowMs } from '../messages.ts';
import type { RunResult } from '../run.ts';
import { planRound } from '../schedule.ts';
import { watchStarvation } from '../starvation.ts';
import { ChaosCluster } from './chaos-cluster.ts';
import { ClusterFaults } from './cluster-faults.ts';

const LOCAL = '127.0.0.1';
const MS_A_SECOND = 1_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** Longer than a client counts on a session after a fault began. */
const PATIENCE_LEASES = 6;
const ANSWER_MS = 3_000;
/** The last ping may have come a quarter of the time-out before a fault. */
const GONE_SHARE = 0.7;
const PERMIT_LIMIT = 2;
const CLIENT_GAP_MS = 5_000;
const CLUSTER_GAP_MS = 1_500;
/** After most faults the next one waits until locks are granted again. */
const WAITS_SHARE = 0.7;
const LOOK_MS = 100;
const BEGIN_MS = 1_500;
const LONGEST_BEGIN_MS = 30_000;
const LEFT_BEHIND_MS = 4_000;
const FINISH_MS = 40_000;
/** A process is known to have been starved when it runs again. */
const JUDGE_AFTER_MS = 1_000;

/** How to run. */
export interface ClusterRunOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly leaseSeconds: number;
  /** Only these kinds of faults; all if undefined. */
  readonly only: ReadonlySet<string> | undefined;
  /** Called at once with each violation. */
  readonly tell: (violation: string) => void;
}

export class ClusterRun {
  readonly #options: ClusterRunOptions;
  readonly #clients: readonly ClientKind[];
  readonly #history: History;

  constructor(options: ClusterRunOptions) {
    const { leaseSeconds, tell } = options;
    this.#options = options;
    this.#clients = clusterClients(leaseSeconds);
    const extraWaitMs = leaseSeconds * MS_A_SECOND;
    const log = new FaultLog({ clients: this.#clients, isDurable: true, extraWaitMs, startMs: nowMs() });
    this.#history = new History({ answerMs: ANSWER_MS, permitLimit: PERMIT_LIMIT, goneShare: GONE_SHARE, tell }, log);
  }

  /** Resolves once everything that belongs to the run has ended. */
  async run(): Promise<RunResult> {
    const history = this.#history;
    const cluster = await ChaosCluster.start(this.#options.leaseSeconds, history.log);
    const clusterFaults = new ClusterFaults(cluster, history);
    await clusterFaults.settle();
    const audit: Audit = this.#audit(cluster, (pid) => clientFaults.clientOf(pid));
    const clientFaults = new ClientFaults({
      ...{ proxies: {}, history, seed: this.#options.seed, requestTimeoutMs: REQUEST_TIMEOUT_MS },
      patienceMs: PATIENCE_LEASES * cluster.leaseMs,
      places: this.#clients.map(({ route }) => ({
        place: route === 'forwarded' ? { host: LOCAL, port: cluster.anyPort } : { servers: cluster.servers },
        host: undefined,
      })),
      listTokens: () => audit.listTokens(),
    });
    const stopWatch = new AbortController();
    const watched = this.#watchStarvation(stopWatch.signal, cluster, clientFaults);
    await this.#hurt(clientFaults, clusterFaults, audit);
    await clusterFaults.settle();
    await clientFaults.finish(FINISH_MS);
    stopWatch.abort();
    await watched;
    history.checkHolds();
    await audit.checkRemains();
    await cluster.remove();
    const { counts, violations } = history;
    return { faults: history.log.faults, counts, violations };
  }

  #audit(cluster: ChaosCluster, clientOf: (pid: number) => number | undefined): Audit {
    const { log } = this.#history;
    return new Audit({ servers: cluster.servers }, this.#history, {
      leftBehindMs: (client) => {
        const timeoutMs = client === undefined ? 0 : log.clientKind(client).timeoutMs;
        return LEFT_BEHIND_MS + Math.max(timeoutMs, log.longestTimeoutMs);
      },
      excusedMs: (fromMs, untilMs) => log.serverHurtMs(fromMs, untilMs),
      clientOf,
    });
  }

  async #watchStarvation(signal: AbortSignal, cluster: ChaosCluster, clientFaults: ClientFaults): Promise<void> {
    const history = this.#history;
    const list = (): (readonly [{ readonly client?: number }, number | undefined])[] => [
      ...cluster.pids.map((pid) => [{}, pid] as const),
      ...clientFaults.pids.map((pid, client) => [{ client }, pid] as const),
    ];
    const found = (whom: { readonly client?: number }, fromMs: number, untilMs: number): void => {
      history.log.starved(whom, fromMs, untilMs);
      history.count('starved for a while');
    };
    await watchStarvation(signal, list, found, (atMs) => history.judge(atMs - JUDGE_AFTER_MS));
  }

  /** Faults of clients and of the cluster run beside each other. Resolves once none is under way. */
  async #hurt(clientFaults: ClientFaults, clusterFaults: ClusterFaults, audit: Audit): Promise<void> {
    const { seed, only } = this.#options;
    const schedule = {
      clients: this.#clients,
      isDurable: true,
      hasDisk: false,
      leaseMs: this.#options.leaseSeconds * MS_A_SECOND,
      only,
    };
    const random = makeRandom(seed);
    const stop = new AbortController();
    const audited = audit.runUntil(stop.signal);
    await this.#waitFor(() => this.#history.askingCount === this.#clients.length, LONGEST_BEGIN_MS);
    await pause(BEGIN_MS);
    const hurtAllClients = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        await hurtClients(clientFaults, { ...schedule, random }, CLIENT_GAP_MS);
        await pause(LOOK_MS);
      }
    };
    const hurt = hurtAllClients();
    await this.#hurtCluster(clusterFaults, { ...schedule, random: makeRandom(seed + 1) });
    stop.abort();
    await Promise.all([hurt, audited]);
  }

  async #hurtCluster(faults: ClusterFaults, schedule: Parameters<typeof planRound>[1]): Promise<void> {
    const history = this.#history;
    const { random } = schedule;
    for (let round = 0; round < this.#options.rounds; round += 1) {
      for (const planned of planRound(CLUSTER_FAULTS, schedule)) {
        await faults.inject(planned);
        const before = history.grantCount;
        const isPatient = random() < WAITS_SHARE;
        await pause(CLUSTER_GAP_MS * (0.5 + random()));
        if (isPatient) await this.#waitFor(() => history.grantCount > before, history.log.longestTimeoutMs);
      }
    }
  }

  /** Resolves once something is so, or after a while. */
  async #waitFor(isSo: () => boolean, longestMs: number): Promise<void> {
    const endMs = nowMs() + longestMs;
    while (!isSo() && nowMs() < endMs) await pause(LOOK_MS);
  }
}
