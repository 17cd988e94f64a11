/** One server of a cluster: stands by, leads when etcd says so, and stands by again. */

import { randomBytes } from 'node:crypto';
import type { EtcdClient } from '../ledger/etcd/etcd-client.ts';
import { EtcdError } from '../ledger/etcd/etcd-error.ts';
import { openEtcdLedger } from '../ledger/etcd/etcd-ledger.ts';
import type { Ledger, LedgerReport } from '../ledger/ledger.ts';
import { whenAborted } from '../message/abort-listeners.ts';
import type { Listener } from '../message/byte-stream.ts';
import { makeGate } from '../message/gate.ts';
import type { Logger } from '../message/logger.ts';
import { pause } from '../message/timeout.ts';
import { ForwardPort } from './forward-port.ts';
import { ForwardedListeners } from './forwarded-listeners.ts';
import type { KnownEtcd } from './known-etcd.ts';
import { type Leader, type LeaderRecord, toText } from './leader-record.ts';
import { LeaderWatch } from './leader-watch.ts';
import { Membership, NameTakenError } from './membership.ts';
import { agreeOnPolicy, type Policy, PolicyError } from './policy.ts';
import { SharedListener } from './shared-listener.ts';
import { Standby, type StandbyLimits } from './standby.ts';
import { Term } from './term.ts';

const RETRY_MS = 500;
const MS_A_SECOND = 1_000;
const SECRET_BYTES = 18;
/** How often what is known of etcd is saved. */
const SAVE_EACH_MS = 10_000;
/** What this node may have reserved beyond the last token that it gave. */
const TOKENS_AHEAD = 2 ** 23;

/** The server that a leader runs. */
export interface LeadingServer {
  listen(listener: Listener, options: object): Promise<string>;
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** One listener, and the options with which a server listens on it. */
export interface ClusterListener {
  readonly listener: Listener;
  readonly options: object;
}

export interface ClusterNodeOptions {
  readonly client: EtcdClient;
  /** Of all keys in etcd: `holdfast/`. */
  readonly prefix: string;
  readonly node: string;
  /** Where clients reach this node: `host:port`. */
  readonly address: string;
  readonly leaseSeconds: number;
  readonly policy: Policy;
  readonly listeners: readonly ClusterListener[];
  /** Takes the connections that other nodes forward. */
  readonly forwardListener: Listener;
  readonly limits: StandbyLimits;
  readonly known: KnownEtcd;
  readonly logger: Logger;
  readonly report: LedgerReport;
  /** The wall clock, in milliseconds: tokens begin there. `Date.now` by default. */
  readonly nowMs?: () => number;
  /** Makes the server of a term. */
  readonly makeServer: (ledger: Ledger, describe: () => Promise<object>) => LeadingServer;
}

export class ClusterNode {
  readonly #options: ClusterNodeOptions;
  readonly #standby: Standby;
  readonly #listeners: readonly { readonly shared: SharedListener; readonly options: object }[];
  readonly #forwarded: ForwardedListeners;
  readonly #forwardShared: SharedListener;
  readonly #closing = new AbortController();
  /** Until then it leaves others the time to lead, since it has stepped down. */
  #restsUntilMs = 0;
  #forwardAddress = '';
  #membership: Membership | undefined;
  #term: Term | undefined;
  #running: Promise<void> = Promise.resolve();
  #drainMs = 0;
  #lastTrouble = '';

  constructor(options: ClusterNodeOptions) {
    this.#options = options;
    const { limits, logger, client, known } = options;
    this.#standby = new Standby(limits, logger);
    this.#listeners = options.listeners.map(({ listener, options: given }) => ({
      shared: new SharedListener(listener, this.#standby.eventsFor(given)),
      options: given,
    }));
    this.#forwarded = new ForwardedListeners();
    const port = new ForwardPort({
      isRight: (secret) => this.#forwarded.isRight(secret),
      forwarded: (stream, origin) => this.#forwarded.accept(stream, origin),
      refused: (peer, why) => logger.warn({ peer }, `refused a forwarded connection from ${peer}: ${why}`),
    });
    this.#forwardShared = new SharedListener(options.forwardListener, {
      ...this.#standby.eventsFor({}),
      accepted: (stream) => port.accept(stream),
    });
    client.onAnswer = (answer, knownRevision) => {
      if (!known.accepts(answer, knownRevision)) this.#membership?.shut();
    };
  }

  /**
   * Opens the listeners and joins the cluster; resolves to the addresses. Rejects with the system's error when it cannot listen, with a
   * `PolicyError`, or with an `EtcdError` `denied` or `certificate`. Where etcd does not answer it goes on trying.
   */
  async start(): Promise<readonly string[]> {
    const addresses: string[] = [];
    for (const { shared } of this.#listeners) addresses.push(await shared.open());
    this.#forwardAddress = joinAddress(hostOf(this.#options.address), portOf(await this.#forwardShared.open()));
    const { promise, resolve } = makeGate();
    let failure: Error | undefined;
    this.#running = this.#run((error) => {
      failure = error;
      resolve();
    });
    await promise;
    if (failure !== undefined && isPermanent(failure)) {
      await this.close();
      throw failure;
    }
    return addresses;
  }

  /** C5: hands over to another node, if this one leads. */
  stepDown(): void {
    if (this.#term === undefined) return;
    this.#options.logger.info({}, 'stepping down');
    this.#term.resign();
  }

  /** Hands over, gives holders without a session up to `drainMs` milliseconds to release, closes the connections and leaves the cluster. */
  async close({ drainMs = 0 }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#drainMs = drainMs;
    this.#closing.abort();
    this.#term?.resign();
    await this.#running;
    await Promise.all([...this.#listeners.map(({ shared }) => shared.close()), this.#forwardShared.close()]);
    this.#standby.dismiss();
    await this.#options.known.save();
    this.#options.client.close();
  }

  /** `joined` is called once, when the first attempt to join has succeeded or failed. */
  async #run(joined: (error?: Error) => void): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#takePart(joined);
      } catch (error) {
        this.#tell(error as Error);
        joined(error as Error);
        await pause(RETRY_MS, this.#closing.signal);
      }
    }
  }

  async #takePart(joined: () => void): Promise<void> {
    const { client, prefix, node, address, leaseSeconds, policy, known, logger } = this.#options;
    if (known.error !== undefined) throw known.error;
    await agreeOnPolicy(client, prefix, node, policy);
    const membership = await Membership.join({ client, prefix, record: { node, address }, leaseSeconds });
    this.#membership = membership;
    this.#lastTrouble = '';
    logger.info({ node, etcd: client.endpoint }, 'joined the cluster');
    try {
      await this.#attend(membership, joined);
    } finally {
      this.#standby.follow(undefined, 'noQuorum');
      await membership.leave();
      if (!this.#closing.signal.aborted) logger.warn({ node }, 'left the cluster: etcd does not confirm the lease');
    }
  }

  /** Stands by and leads in turns, while the node belongs to the cluster. */
  async #attend(membership: Membership, joined: () => void): Promise<void> {
    const { client } = this.#options;
    let changed = makeGate();
    const watch = new LeaderWatch(client, this.#leaderKey, membership.end, (leader) => {
      if (leader?.epoch !== this.#term?.epoch) this.#term?.replace();
      changed.resolve();
    });
    await watch.start();
    joined();
    while (!membership.end.aborted && !this.#closing.signal.aborted) {
      changed = makeGate();
      const { leader } = watch;
      if (leader === undefined && performance.now() >= this.#restsUntilMs) {
        this.#standby.follow(undefined);
        const epoch = await this.#elect(membership);
        if (epoch !== undefined) await this.#lead(epoch, membership);
        else await this.#lookAgain(watch, membership);
      } else {
        this.#follow(leader, membership);
        await this.#untilChange(changed.promise, membership);
      }
    }
  }

  /** Another node was faster. */
  async #lookAgain(watch: LeaderWatch, membership: Membership): Promise<void> {
    await watch.read();
    if (watch.leader === undefined) await pause(RETRY_MS, membership.end, this.#closing.signal);
  }

  #follow(leader: Leader | undefined, membership: Membership): void {
    // The key of the term that has just ended here may not be gone yet.
    const isOther = leader !== undefined && leader.node !== this.#options.node;
    this.#standby.follow(isOther && membership.isCertain ? leader : undefined);
    if (!isOther) return;
    this.#restsUntilMs = 0;
    this.#options.logger.info({ leader: leader.node, epoch: leader.epoch }, 'stands by');
  }

  async #untilChange(changed: Promise<void>, membership: Membership): Promise<void> {
    const restMs = this.#restsUntilMs - performance.now();
    const stop = new AbortController();
    const longestMs = restMs > 0 ? restMs : Number.POSITIVE_INFINITY;
    await Promise.race([changed, pause(longestMs, stop.signal, membership.end, this.#closing.signal)]);
    stop.abort();
  }

  /** Resolves to the epoch if this node leads now. */
  async #elect(membership: Membership): Promise<number | undefined> {
    const { client } = this.#options;
    const record = this.#record();
    const key = this.#leaderKey;
    try {
      const { succeeded, revision } = await client.txn({
        compare: [{ key, createRevision: 0 }],
        success: [{ kind: 'put', key, value: toText(record), lease: membership.leaseId }],
      });
      return succeeded ? revision : undefined;
    } catch (error) {
      if (!(error instanceof EtcdError) || !error.isOutcomeUnknown) throw error;
      // The key says whether it was carried out.
      const [entry] = (await client.range(key)).entries;
      return entry?.value === toText(record) ? entry.createRevision : undefined;
    }
  }

  #record(): LeaderRecord {
    const { node, address } = this.#options;
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    this.#forwarded.secret = secret;
    return { node, address, forward: this.#forwardAddress, secret };
  }

  async #lead(epoch: number, membership: Membership): Promise<void> {
    const { client, prefix, known, logger, report, makeServer, nowMs = Date.now } = this.#options;
    const term = new Term(epoch, membership);
    this.#term = term;
    if (this.#closing.signal.aborted) term.resign();
    const leader = { key: this.#leaderKey, epoch };
    const onDeposed = (): void => term.replace();
    const options = { client, prefix, leader, leaseMs: this.#leaseMs, nowMs: nowMs(), report, onDeposed };
    const ledger = await unlessOver(term, openEtcdLedger(options));
    const server = makeServer(ledger, () => this.#describe(epoch, ledger.sessions.count));
    try {
      if (known.isRaised) await ledger.tokens.raiseTo(known.token);
      await this.#serve(server, term);
      logger.info({ epoch, sessions: ledger.sessions.atStart.length }, 'leads');
      await this.#untilEnd(term, ledger);
      if (term.isLeading) await this.#handOver(server, ledger, epoch);
      this.#restsUntilMs = performance.now() + this.#leaseMs;
    } finally {
      // C1: whatever it was, nothing is answered any more.
      term.replace();
      this.#forwarded.secret = '';
      logger.info({ epoch }, 'leads no more');
      this.#term = undefined;
      void server.close().catch(() => {});
      await ledger.close();
    }
  }

  async #serve(server: LeadingServer, term: Term): Promise<void> {
    const isLeading = (): boolean => term.isLeading;
    for (const { shared, options } of this.#listeners) {
      await server.listen(shared.lend(isLeading), options);
      await server.listen(this.#forwarded.listenerFor(options, isLeading), { ...options, proxied: true });
    }
    this.#standby.dismiss();
  }

  async #untilEnd(term: Term, ledger: Ledger): Promise<void> {
    const { known } = this.#options;
    while (!term.end.aborted) {
      known.token = ledger.tokens.last + TOKENS_AHEAD;
      await known.save();
      await pause(SAVE_EACH_MS, term.end);
    }
  }

  /** C5: answers nothing more, then gives the key up, so that the next leader need not wait for the lease. */
  async #handOver(server: LeadingServer, ledger: Ledger, epoch: number): Promise<void> {
    const { client } = this.#options;
    await server.close({ drainMs: this.#drainMs });
    await ledger.close();
    const key = this.#leaderKey;
    await client.txn({ compare: [{ key, createRevision: epoch }], success: [{ kind: 'delete', key }] }).catch(() => {});
  }

  async #describe(epoch: number, sessions: number): Promise<object> {
    const { client, prefix, node, address } = this.#options;
    const [{ entries, revision }, { version }] = await Promise.all([
      client.range(`${prefix}nodes/`, { isPrefix: true }),
      client.status(),
    ]);
    const nodes = entries.map(({ value }) => JSON.parse(value) as { readonly node: string; readonly address: string });
    return {
      node,
      role: 'leader',
      epoch,
      leader: { node, address },
      nodes: nodes.map((each) => ({ ...each, role: each.node === node ? 'leader' : 'standby' })),
      sessions,
      etcd: { endpoint: client.endpoint, version, lagMs: Math.round(this.#membership?.lagMs ?? 0), revision },
    };
  }

  get #leaderKey(): string {
    return `${this.#options.prefix}leader`;
  }

  get #leaseMs(): number {
    return this.#options.leaseSeconds * MS_A_SECOND;
  }

  /** Once for each kind of trouble. */
  #tell(error: Error): void {
    if (error.message === this.#lastTrouble) return;
    this.#lastTrouble = error.message;
    const level = error instanceof NameTakenError ? 'warn' : 'error';
    this.#options.logger[level]({}, `the server takes no part in the cluster: ${error.message}; it tries again`);
  }
}

/** Trying again does not help until somebody changes something. */
function isPermanent(error: Error): boolean {
  if (error instanceof PolicyError) return true;
  return error instanceof EtcdError && (error.code === 'denied' || error.code === 'certificate');
}

/** A ledger of which etcd says that another node leads never opens. */
function unlessOver<Opened>(term: Term, opening: Promise<Opened>): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const stop = whenAborted(term.end, () => reject(new Error('another node leads')));
    void opening.finally(stop).then(resolve, reject);
  });
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'));
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1);
}

function joinAddress(host: string, port: string): string {
  return `${host}:${port}`;
}
