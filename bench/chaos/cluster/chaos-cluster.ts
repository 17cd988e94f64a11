/** A cluster in a chaos run: three servers, their etcd, and a proxy by which they reach it and by which clients reach them. */

import { freePorts } from '../children.ts';
import type { FaultLog } from '../fault-log.ts';
import type { Fault, SeenKind } from '../faults.ts';
import { nowMs, type ProxyAction } from '../messages.ts';
import { ChaosProxy } from '../world.ts';
import { ChaosEtcd } from './chaos-etcd.ts';
import { ChaosNode, CLUSTER_PREFIX, type NodeEvents } from './chaos-node.ts';

const NAMES = ['a', 'b', 'c'];
/** Their wall clocks differ, and by more than the tokens of a term do. */
const CLOCKS_AHEAD_MS = [0, -86_400_000, -3_600_000];
const LOCAL = '127.0.0.1';
const MS_A_SECOND = 1_000;

/** What lasts still. */
type Seen = Fault & { readonly kind: Exclude<SeenKind, 'starved'> };

export class ChaosCluster {
  readonly etcd: ChaosEtcd;
  readonly nodes: readonly ChaosNode[];
  readonly leaseMs: number;
  /** A port that goes to one server after the other. */
  readonly anyPort: number;
  readonly #proxy: ChaosProxy;
  readonly #log: FaultLog;
  /** As long as nobody leads. */
  #change: Seen | undefined;
  #lastEpoch = 0;

  private constructor(etcd: ChaosEtcd, ports: readonly number[], leaseSeconds: number, log: FaultLog) {
    this.etcd = etcd;
    this.leaseMs = leaseSeconds * MS_A_SECOND;
    this.#log = log;
    const left = [...ports];
    const takePort = (): number => left.pop() as number;
    this.anyPort = takePort();
    this.nodes = NAMES.map((name, index) => {
      const [port, advertisedPort] = [takePort(), takePort()];
      const etcdPorts = etcd.members.map(takePort);
      const clockAheadMs = CLOCKS_AHEAD_MS[index] as number;
      return new ChaosNode({
        ...{ name, port, advertisedPort, etcdPorts, leaseSeconds, clockAheadMs },
        told: this.#events(),
      });
    });
    const ways = this.nodes.flatMap(({ port, advertisedPort, etcdPorts }) => [
      { port: advertisedPort, serverPorts: [port] },
      ...etcdPorts.map((etcdPort, index) => ({
        port: etcdPort,
        serverPorts: [etcd.members[index]?.clientPort as number],
      })),
    ]);
    const toAny = { port: this.anyPort, serverPorts: this.nodes.map(({ port }) => port) };
    this.#proxy = new ChaosProxy({ ports: [...ways, toAny] });
  }

  /** Resolves once all listen; none may lead yet. */
  static async start(leaseSeconds: number, log: FaultLog): Promise<ChaosCluster> {
    const etcd = await ChaosEtcd.start();
    const portsOfNode = 2 + etcd.members.length;
    const ports = await freePorts(1 + NAMES.length * portsOfNode);
    const cluster = new ChaosCluster(etcd, ports, leaseSeconds, log);
    await cluster.#proxy.start();
    await Promise.all(cluster.nodes.map((node) => node.start()));
    return cluster;
  }

  /** Where clients find the servers, by the proxy. */
  get servers(): readonly string[] {
    return this.nodes.map(({ advertisedPort }) => `${LOCAL}:${advertisedPort}`);
  }

  /** The one that was elected last, as far as it is known. */
  get leader(): ChaosNode | undefined {
    return this.nodes.find(({ epoch }) => epoch !== undefined && epoch === this.#lastEpoch);
  }

  get pids(): readonly (number | undefined)[] {
    return [this.#proxy, ...this.nodes, ...this.etcd.members].map(({ pid }) => pid);
  }

  /** Does something to the connections of clients to a server. */
  actOnClients({ advertisedPort }: ChaosNode, action: ProxyAction, ms?: number): void {
    this.#proxy.act(advertisedPort, action, ms);
  }

  /** Does something to the connections of a server to etcd. */
  actOnEtcd({ etcdPorts }: ChaosNode, action: ProxyAction, ms?: number): void {
    for (const port of etcdPorts) this.#proxy.act(port, action, ms);
  }

  /** Nothing passes any more between a server and etcd; what is on its way arrives when it is freed. */
  cutOff(node: ChaosNode): void {
    for (const action of ['holdToServer', 'holdToClient', 'holdConnections'] as const) this.actOnEtcd(node, action);
  }

  /** Deletes the key by which the leader leads. */
  async deleteLeaderKey(): Promise<void> {
    await this.etcd.control('del', `${CLUSTER_PREFIX}leader`);
  }

  async remove(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.remove()));
    await this.#proxy.kill();
    await this.etcd.remove();
  }

  #events(): NodeEvents {
    return {
      leads: (epoch) => this.#changed(epoch),
      leadsNoMore: (epoch) => {
        if (epoch === this.#lastEpoch) this.#change ??= this.#saw('leader changed');
      },
      left: () => {
        this.#saw('server left').untilMs = nowMs();
      },
    };
  }

  /** The one before may not have said that it leads no more. */
  #changed(epoch: number): void {
    const change = this.#change ?? this.#saw('leader changed');
    change.untilMs = nowMs();
    this.#change = undefined;
    this.#lastEpoch = Math.max(this.#lastEpoch, epoch);
  }

  /** A server tells what its clients know already: it waits for etcd in between, for less than a lease. */
  #saw(kind: Seen['kind']): Seen {
    const fromMs = nowMs() - this.leaseMs;
    const route = kind === 'server left' ? 'forwarded' : undefined;
    const seen: Seen = { kind, client: undefined, route, fromMs, untilMs: Number.POSITIVE_INFINITY };
    this.#log.saw(seen);
    return seen;
  }
}
