/** Hurts the servers of a cluster, its etcd and the network between them. One at a time, since most hit everybody. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Route } from '../clients.ts';
import { CLUSTER_FAULTS, type ClusterFaultKind, type Fault } from '../faults.ts';
import type { History } from '../history.ts';
import { nowMs } from '../messages.ts';
import type { Planned } from '../schedule.ts';
import type { ChaosCluster } from './chaos-cluster.ts';
import type { ChaosNode } from './chaos-node.ts';

/** A server that is told to end does so within this time. */
const END_MS = 8_000;
/** So much after a fault is over somebody leads, beside the time for which processes were starved. */
const LEADER_MS = 20_000;
const LOOK_MS = 20;
const QUORUM = 2;
/** There and back within the time that a server gives etcd for an answer. */
const SLOW_MS = 90;
const LATE_LEASES = 1.9;
const MAX_SHOWN_CHARACTERS = 60;

export class ClusterFaults {
  readonly #cluster: ChaosCluster;
  readonly #history: History;
  /** Each kind's way, for a server that leads. Resolves once all that was hurt can recover. */
  readonly #ways: Readonly<Record<ClusterFaultKind, (ms: number, leader: ChaosNode) => Promise<void>>>;

  constructor(cluster: ChaosCluster, history: History) {
    this.#cluster = cluster;
    this.#history = history;
    this.#ways = {
      'leader killed': (ms, leader) => this.#kill([leader], ms),
      'leader terminated': (ms, leader) => this.#terminate(leader, ms),
      'leader told to step down': async (_, leader) => leader.signal('SIGUSR2'),
      'leader stopped': (ms, leader) => this.#stop(leader, ms),
      'leader cut off from etcd': (ms, leader) => this.#cutOff(leader, ms),
      'leader cut off from etcd for long': (ms, leader) => this.#cutOffForLong(leader, ms),
      'leader cut off from clients': (ms, leader) => this.#cutOffFromClients(leader, ms),
      'leader connections reset': async (_, leader) => cluster.actOnClients(leader, 'reset'),
      'leader killed while etcd hears nothing': (ms, leader) => this.#killUnheard(leader, ms),
      'leader replaced and replies late': (ms, leader) => this.#delayReplies(leader, ms),
      'leader clock set forward and back': (ms, leader) => this.#shiftClock(leader, ms),
      'leader key deleted': () => cluster.deleteLeaderKey(),
      'leader key deleted unseen': (ms, leader) => this.#deleteUnseen(leader, ms),
      'standby killed': (ms, leader) => this.#kill([this.#standby(leader, ms)], ms),
      'standby stopped': (ms, leader) => this.#stop(this.#standby(leader, ms), ms),
      'all servers killed': (ms) => this.#kill(cluster.nodes, ms),
      'etcd member killed': (ms) => this.#killMember(ms),
      'etcd without quorum': (ms) => this.#stopMembers(ms),
      'etcd slow': (ms) => this.#slowDown(ms),
      'etcd compacted': () => this.#compact(),
    };
  }

  /** Resolves once the fault is over and somebody leads. */
  async inject({ kind, ms }: Planned<ClusterFaultKind>): Promise<void> {
    await this.#mend();
    const leader = await this.#findLeader();
    if (leader === undefined) return;
    const { log } = this.#history;
    const fault: Fault = { kind, client: undefined, route: routeOf(kind), fromMs: nowMs(), untilMs: Infinity };
    log.faults.push(fault);
    try {
      await this.#ways[kind](ms, leader);
    } catch (error) {
      // On a busy machine etcdctl may take too long.
      this.#history.count(`faults that failed: ${kind}, ${(error as Error).message.slice(0, MAX_SHOWN_CHARACTERS)}`);
    }
    fault.untilMs = nowMs();
    await this.#findLeader();
  }

  /** Resolves once all servers run and one leads. */
  async settle(): Promise<void> {
    await this.#mend();
    await this.#findLeader();
  }

  /** Starts what has ended or serves nobody. */
  async #mend(): Promise<void> {
    for (const node of this.#cluster.nodes) {
      if (node.isRunning && !node.isSetBack) continue;
      if (node.isSetBack) this.#history.count('servers started again after an old answer of etcd');
      else this.#history.violation(nowMs(), `the server ${node.name} ended by itself: ${node.log}`);
      await node.kill();
      await node.start();
    }
  }

  /** Resolves to the server that leads, as soon as one does; undefined when that takes too long, which is a violation. */
  async #findLeader(): Promise<ChaosNode | undefined> {
    const fromMs = nowMs();
    for (;;) {
      const { leader } = this.#cluster;
      if (leader !== undefined) return leader;
      if (this.#cluster.nodes.some(({ isSetBack }) => isSetBack)) await this.#mend();
      if (nowMs() - fromMs > LEADER_MS + this.#history.log.serverStarvedMs(fromMs, nowMs())) break;
      await pause(LOOK_MS);
    }
    const logs = this.#cluster.nodes.map(({ name, log }) => `${name}: ${log}`).join('\n');
    this.#history.violation(nowMs(), `no leader for ${LEADER_MS} ms: ${logs}`);
    return undefined;
  }

  /** One of those that do not lead; the time of the fault decides which. */
  #standby(leader: ChaosNode, ms: number): ChaosNode {
    const standbys = this.#cluster.nodes.filter((node) => node !== leader);
    return standbys[Math.floor(ms) % standbys.length] as ChaosNode;
  }

  async #kill(nodes: readonly ChaosNode[], ms: number): Promise<void> {
    await Promise.all(nodes.map((node) => node.kill()));
    await pause(ms);
    await Promise.all(nodes.map((node) => node.start()));
  }

  async #terminate(leader: ChaosNode, ms: number): Promise<void> {
    const fromMs = nowMs();
    const code = await leader.terminate(END_MS);
    const isStarved = code === undefined && this.#history.log.serverStarvedMs(fromMs, nowMs()) > 0;
    if (code !== 0 && !isStarved) {
      this.#history.violation(nowMs(), `the leader was told to end, and did with code ${code}: ${leader.log}`);
    }
    await pause(ms);
    await leader.start();
  }

  async #stop(node: ChaosNode, ms: number): Promise<void> {
    node.signal('SIGSTOP');
    await pause(ms);
    node.signal('SIGCONT');
  }

  async #cutOff(leader: ChaosNode, ms: number): Promise<void> {
    this.#cluster.cutOff(leader);
    await pause(ms);
    this.#cluster.actOnEtcd(leader, 'free');
  }

  /** Clients stay with it as long as it answers; others go to the next leader. */
  async #cutOffForLong(leader: ChaosNode, ms: number): Promise<void> {
    this.#cluster.actOnClients(leader, 'holdConnections');
    await this.#cutOff(leader, ms);
    this.#cluster.actOnClients(leader, 'free');
  }

  async #cutOffFromClients(leader: ChaosNode, ms: number): Promise<void> {
    const cluster = this.#cluster;
    for (const action of ['holdToServer', 'holdToClient', 'holdConnections'] as const)
      cluster.actOnClients(leader, action);
    await pause(ms);
    cluster.actOnClients(leader, 'free');
  }

  /** What it was about to write is never written. */
  async #killUnheard(leader: ChaosNode, ms: number): Promise<void> {
    this.#cluster.actOnEtcd(leader, 'holdToServer');
    await pause(ms);
    await leader.kill();
    this.#cluster.actOnEtcd(leader, 'reset');
    this.#cluster.actOnEtcd(leader, 'free');
    await leader.start();
  }

  async #shiftClock(leader: ChaosNode, ms: number): Promise<void> {
    leader.signal('SIGUSR1');
    await pause(ms);
    leader.signal('SIGUSR1');
  }

  /** The leader answers until its lease is over, while another leads already; its clients find nobody until long after. */
  async #deleteUnseen(leader: ChaosNode, ms: number): Promise<void> {
    const cluster = this.#cluster;
    for (const node of cluster.nodes) cluster.actOnClients(node, 'holdConnections');
    cluster.cutOff(leader);
    try {
      await cluster.deleteLeaderKey();
      await pause(ms);
    } finally {
      cluster.actOnEtcd(leader, 'free');
      for (const node of cluster.nodes) cluster.actOnClients(node, 'free');
    }
  }

  /**
   * The same, and what it answers is on its way for longer than it leads, but not for so long that its clients leave. They have asked
   * before whether it leads.
   */
  async #delayReplies(leader: ChaosNode, ms: number): Promise<void> {
    const { leaseMs } = this.#cluster;
    this.#cluster.actOnClients(leader, 'delayToClient', LATE_LEASES * leaseMs);
    await pause(leaseMs);
    await this.#deleteUnseen(leader, ms);
  }

  async #killMember(ms: number): Promise<void> {
    const { members } = this.#cluster.etcd;
    const member = members[Math.floor(ms) % members.length] as (typeof members)[number];
    await member.kill();
    await pause(ms);
    await member.start();
  }

  async #stopMembers(ms: number): Promise<void> {
    const { members } = this.#cluster.etcd;
    const first = Math.floor(ms) % members.length;
    const stopped = [...members.slice(first), ...members.slice(0, first)].slice(0, QUORUM);
    for (const member of stopped) member.stop();
    await pause(ms);
    for (const member of stopped) member.goOn();
  }

  async #slowDown(ms: number): Promise<void> {
    const { nodes } = this.#cluster;
    for (const node of nodes) this.#cluster.actOnEtcd(node, 'delay', SLOW_MS);
    await pause(ms);
    for (const node of nodes) this.#cluster.actOnEtcd(node, 'free');
  }

  async #compact(): Promise<void> {
    const { etcd } = this.#cluster;
    const [, revision = ''] = /"revision":(\d+)/.exec(await etcd.control('get', 'x', '--write-out=json')) ?? [];
    await etcd.control('compact', revision);
    await etcd.control('defrag');
  }
}

/** Undefined when it hits all routes. */
function routeOf(kind: ClusterFaultKind): Route | undefined {
  const { routes } = CLUSTER_FAULTS[kind];
  return routes.length === 1 ? routes[0] : undefined;
}
