/** One server of a cluster: stands by, leads when etcd says so, and stands by again. */

import { randomBytes } from 'node:crypto';
import { EtcdError } from '../ledger/etcd/etcd-error.ts';
import { makeGate } from '../message/gate.ts';
import { QuietLog } from '../message/quiet-log.ts';
import { hostOf } from '../message/refusals.ts';
import { pause } from '../message/timeout.ts';
import type { ClusterNodeOptions } from './cluster-options.ts';
import { warnOfEtcd } from './etcd-versions.ts';
import { ForwardPort } from './forward-port.ts';
import { ForwardedListeners } from './forwarded-listeners.ts';
import { SetBackError } from './known-etcd.ts';
import { LeaderKey } from './leader-key.ts';
import type { Leader, LeaderRecord } from './leader-record.ts';
import { LeaderWatch } from './leader-watch.ts';
import { Leadership } from './leadership.ts';
import { KEEP_ALIVES, Membership, NameTakenError, PolicyChangedError } from './membership.ts';
import { agreeOnPolicy, PolicyError } from './policy.ts';
import { SharedListener } from './shared-listener.ts';
import { type NoDestination, Standby } from './standby.ts';
import { Term } from './term.ts';

const RETRY_MS = 500;
const MS_A_SECOND = 1_000;
const SECRET_BYTES = 18;
/** How often what is known of etcd is saved. */
const SAVE_EACH_MS = 1_000;
/** Whether a node leads, and otherwise who does or why nobody is known to. */
export type Standing =
  | { readonly role: 'leader' }
  | { readonly role: 'standby'; readonly leader: string }
  | { readonly role: 'standby'; readonly reason: NoDestination };

export class ClusterNode {
  readonly #options: ClusterNodeOptions;
  readonly #leaderKey: LeaderKey;
  readonly #leadership: Leadership;
  readonly #standby: Standby;
  readonly #listeners: readonly { readonly shared: SharedListener; readonly options: object }[];
  readonly #forwarded: ForwardedListeners;
  readonly #forwardShared: SharedListener;
  readonly #quietLog: QuietLog;
  /** Why it takes no part, until it does. */
  readonly #troubles: QuietLog;
  readonly #closing = new AbortController();
  /** Until then it leaves others the time to lead, since it has stepped down. */
  #restsUntilMs = 0;
  #forwardAddress = '';
  #membership: Membership | undefined;
  #term: Term | undefined;
  #running: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;
  #drainMs = 0;

  constructor(options: ClusterNodeOptions) {
    this.#options = options;
    const { limits, logger, client, known } = options;
    this.#leaderKey = new LeaderKey(client, options.prefix);
    this.#standby = new Standby(limits, logger);
    this.#quietLog = new QuietLog(logger);
    this.#troubles = new QuietLog(logger);
    this.#listeners = options.listeners.map(({ listener, options: given }) => ({
      shared: new SharedListener(listener, this.#standby.eventsFor(given)),
      options: given,
    }));
    this.#forwarded = new ForwardedListeners();
    const port = new ForwardPort({
      isRight: (secret) => this.#forwarded.isRight(secret),
      forwarded: (stream, origin) => this.#forwarded.accept(stream, origin),
      refused: (peer, why) => this.#tellRefused(peer, why),
    });
    this.#forwardShared = new SharedListener(options.forwardListener, {
      ...this.#standby.eventsFor({}),
      accepted: (stream) => port.accept(stream),
    });
    this.#leadership = new Leadership({
      options,
      leaderKey: this.#leaderKey,
      listeners: this.#listeners,
      forwarded: this.#forwarded,
      whenServing: () => this.#standby.dismiss(),
      drainMs: () => this.#drainMs,
      lagMs: () => this.#membership?.lagMs ?? 0,
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
    const addresses = await this.#open();
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

  /** Opens the listeners, all or none. */
  async #open(): Promise<readonly string[]> {
    const addresses: string[] = [];
    try {
      for (const { shared } of this.#listeners) addresses.push(await shared.open());
      this.#forwardAddress = joinAddress(this.#options.address, await this.#forwardShared.open());
      return addresses;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Where this node stands; `reason` is there while it cannot forward. */
  get standing(): Standing {
    if (this.#term !== undefined) return { role: 'leader' };
    const { destination } = this.#standby;
    const where = 'leader' in destination ? { leader: destination.leader.address } : { reason: destination.reason };
    return { role: 'standby', ...where };
  }

  /** C5: hands over to another node, if this one leads. */
  stepDown(): void {
    if (this.#term === undefined) return;
    this.#options.logger.info({}, 'stepping down');
    this.#term.resign();
  }

  /**
   * Hands over, gives holders without a session up to `drainMs` milliseconds to release, closes the connections and leaves the cluster. A
   * second call waits for the first.
   */
  close({ drainMs = 0 }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#close(drainMs);
    return this.#closed;
  }

  async #close(drainMs: number): Promise<void> {
    this.#drainMs = drainMs;
    this.#closing.abort();
    this.#term?.resign();
    await this.#running;
    await Promise.all([...this.#listeners.map(({ shared }) => shared.close()), this.#forwardShared.close()]);
    this.#standby.dismiss();
    this.#quietLog.flush();
    this.#troubles.flush();
    await this.#options.known.close();
    this.#options.client.close();
  }

  /** `joined` is called once, when the first attempt to join has succeeded or failed. */
  async #run(joined: (error?: Error) => void): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#takePart(joined);
      } catch (error) {
        this.#standby.follow({ reason: reasonOf(error as Error) });
        this.#tell(error as Error);
        joined(error as Error);
        await pause(RETRY_MS, this.#closing.signal);
      }
    }
  }

  async #takePart(joined: () => void): Promise<void> {
    const { client, node, known, logger } = this.#options;
    if (known.error !== undefined) throw known.error;
    const membership = await this.#join();
    this.#membership = membership;
    this.#troubles.flush();
    logger.info({ node, etcd: client.endpoint }, 'joined the cluster');
    try {
      void this.#warnOfEtcd();
      void this.#remember(membership);
      await this.#attend(membership, joined);
    } finally {
      this.#standby.follow({ reason: 'noQuorum' });
      await membership.leave();
      if (!this.#closing.signal.aborted) logger.warn({ node }, 'left the cluster: etcd does not confirm the lease');
    }
  }

  async #join(): Promise<Membership> {
    const { client, prefix, node, address, leaseSeconds, policy, known } = this.#options;
    for (;;) {
      const agreed = await agreeOnPolicy(client, prefix, node, policy);
      // C7: the first answer tells whether etcd was set back meanwhile.
      if (known.error !== undefined) throw known.error;
      try {
        return await Membership.join({ client, prefix, record: { node, address }, leaseSeconds, agreed });
      } catch (error) {
        if (!(error instanceof PolicyChangedError)) throw error;
      }
    }
  }

  /** Never rejects. */
  async #warnOfEtcd(): Promise<void> {
    const status = await this.#options.client.status().catch(() => undefined);
    const warning = status && warnOfEtcd(status.version);
    if (warning !== undefined) this.#options.logger.warn({ version: status?.version }, warning);
  }

  /** C7: a node that stands by must notice after its next start as well that etcd was set back. Before that, etcd has gone away. */
  async #remember({ end }: Membership): Promise<void> {
    const { known } = this.#options;
    while (!end.aborted) {
      await known.save();
      await pause(SAVE_EACH_MS, end);
    }
    await known.save();
  }

  /** Stands by and leads in turns, while the node belongs to the cluster. */
  async #attend(membership: Membership, joined: () => void): Promise<void> {
    const { client, node } = this.#options;
    let changed = makeGate();
    const watch = new LeaderWatch({
      client,
      key: this.#leaderKey.key,
      readEachMs: this.#leaseMs / KEEP_ALIVES,
      end: membership.end,
      changed: (leader) => {
        if (leader?.epoch !== this.#term?.epoch) this.#term?.replace();
        changed.resolve();
      },
    });
    await watch.start();
    joined();
    while (!membership.end.aborted && !this.#closing.signal.aborted) {
      changed = makeGate();
      const { leader } = watch;
      if (leader?.node === node) {
        // Nobody leads by the key of this node's last term, and it would stay as long as the node does.
        await this.#leaderKey.giveUp(leader.epoch);
        await watch.read();
      } else if (leader === undefined && performance.now() >= this.#restsUntilMs) {
        await this.#stand(membership, watch);
      } else {
        this.#follow(leader, membership);
        await this.#untilChange(changed.promise, membership);
      }
    }
  }

  /** Leads if it is elected. */
  async #stand(membership: Membership, watch: LeaderWatch): Promise<void> {
    this.#standby.follow({ reason: 'noLeader' });
    const epoch = await this.#leaderKey.take(this.#record(), membership.leaseId);
    if (epoch !== undefined) {
      await this.#lead(epoch, membership);
      return;
    }
    // Another node was faster.
    await watch.read();
    if (watch.leader === undefined) await pause(RETRY_MS, membership.end, this.#closing.signal);
  }

  #follow(leader: Leader | undefined, membership: Membership): void {
    if (leader === undefined) {
      this.#standby.follow({ reason: 'noLeader' });
      return;
    }
    this.#standby.follow({ leader, isCertain: () => membership.isCertain });
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

  #record(): LeaderRecord {
    const { node, address } = this.#options;
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    this.#forwarded.secret = secret;
    return { node, address, forward: this.#forwardAddress, secret };
  }

  /** Rejects when it cannot lead, or cannot hand over. */
  async #lead(epoch: number, membership: Membership): Promise<void> {
    const term = new Term(epoch, membership);
    this.#term = term;
    if (this.#closing.signal.aborted) term.resign();
    try {
      await this.#leadership.lead(term);
    } catch (error) {
      // What a leader fails to do once it is replaced is no trouble.
      if (!term.replaced.aborted) throw error;
    } finally {
      term.replace();
      this.#forwarded.secret = '';
      this.#term = undefined;
      this.#restsUntilMs = performance.now() + this.#leaseMs;
      this.#options.logger.info({ epoch }, 'leads no more');
    }
  }

  #tellRefused(peer: string, why: string): void {
    const told = `refused a forwarded connection from ${peer}: ${why}`;
    this.#quietLog.tell({
      level: 'warn',
      topic: 'forwarded',
      key: hostOf(peer),
      details: { peer },
      message: told,
      leftOut: (count) => ({ details: { peer, count }, message: `${told}; ${count} such lines were left out` }),
    });
  }

  get #leaseMs(): number {
    return this.#options.leaseSeconds * MS_A_SECOND;
  }

  /** When the trouble is another than before, and else each minute. */
  #tell(error: Error): void {
    const message = `the server takes no part in the cluster: ${error.message}; it tries again`;
    this.#troubles.tell({
      level: error instanceof NameTakenError ? 'warn' : 'error',
      topic: 'trouble',
      key: error.message,
      details: {},
      message,
      leftOut: (count) => ({ details: { count }, message: `${message}; ${count} such lines were left out` }),
    });
  }
}

/** Trying again does not help until somebody changes something. */
function isPermanent(error: Error): boolean {
  if (error instanceof PolicyError) return true;
  return error instanceof EtcdError && (error.code === 'denied' || error.code === 'certificate');
}

/** What clients are told as long as the server takes no part in the cluster. */
function reasonOf(error: Error): NoDestination {
  if (error instanceof SetBackError) return 'setBack';
  return error instanceof EtcdError && !isPermanent(error) ? 'noQuorum' : 'notJoined';
}

/** The host of one address with the port of another. */
function joinAddress(hosting: string, listening: string): string {
  return hosting.slice(0, hosting.lastIndexOf(':')) + listening.slice(listening.lastIndexOf(':'));
}
