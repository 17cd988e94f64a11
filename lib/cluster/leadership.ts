/** What a node does while it leads: serves from a ledger in etcd, then hands over. */

import { openEtcdLedger } from '../ledger/etcd/etcd-ledger.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { pause } from '../message/timeout.ts';
import type { ClusterNodeOptions, LeadingServer } from './cluster-options.ts';
import type { ForwardedListeners } from './forwarded-listeners.ts';
import type { LeaderKey } from './leader-key.ts';
import type { SharedListener } from './shared-listener.ts';
import type { Term } from './term.ts';
import { ledgerOfTerm } from './term-ledger.ts';

const MS_A_SECOND = 1_000;
/** How old an answer to `cluster` may be. */
const SHARE_MS = 1_000;
/** How often the greatest token is noted. */
const NOTE_EACH_MS = 1_000;
/** What this node may have reserved beyond the last token that it gave, and far more than it can give between two notes. */
const TOKENS_AHEAD = 2 ** 23;

export interface LeadershipParts {
  readonly options: ClusterNodeOptions;
  readonly leaderKey: LeaderKey;
  readonly listeners: readonly { readonly shared: SharedListener; readonly options: object }[];
  readonly forwarded: ForwardedListeners;
  /** The server of the term serves all new connections. */
  readonly whenServing: () => void;
  /** How long clients may take to finish when the node hands over, in milliseconds. */
  readonly drainMs: () => number;
  /** How long etcd took for its last answer, in milliseconds. */
  readonly lagMs: () => number;
}

export class Leadership {
  readonly #parts: LeadershipParts;

  constructor(parts: LeadershipParts) {
    this.#parts = parts;
  }

  /** Resolves once the key is given up. Rejects when the node cannot lead or cannot hand over, or with a `ReplacedError`. */
  async lead(term: Term): Promise<void> {
    const { client, prefix, leaseSeconds, known, report, makeServer, nowMs = Date.now } = this.#parts.options;
    const leader = { key: this.#parts.leaderKey.key, epoch: term.epoch };
    const onDeposed = (): void => term.replace();
    const times = { leaseMs: leaseSeconds * MS_A_SECOND, nowMs: nowMs() };
    const ledger = await term.unlessReplaced(openEtcdLedger({ client, prefix, leader, ...times, report, onDeposed }));
    try {
      if (known.isRaised) await term.unlessReplaced(ledger.tokens.raiseTo(known.token));
      // C7: what this term has written is remembered before anybody is granted a lock.
      await term.unlessReplaced(this.#remember(ledger));
      const server = makeServer(
        ledgerOfTerm(ledger, term),
        shareFor(SHARE_MS, () => this.#describe(term.epoch, ledger.sessions.count)),
      );
      await this.#serveTerm(server, ledger, term);
    } finally {
      await ledger.close();
    }
  }

  async #serveTerm(server: LeadingServer, ledger: Ledger, term: Term): Promise<void> {
    try {
      await term.unlessReplaced(this.#serve(server, term));
      this.#parts.options.logger.info({ epoch: term.epoch, sessions: ledger.sessions.atStart.length }, 'leads');
      await this.#untilEnd(term, ledger);
      await this.#handOver(server, ledger, term);
    } finally {
      // C1: whatever it was, nothing is answered any more.
      term.replace();
      void server.close().catch(() => {});
    }
  }

  async #serve(server: LeadingServer, term: Term): Promise<void> {
    const isLeading = (): boolean => term.isLeading;
    const { listeners, forwarded, whenServing } = this.#parts;
    for (const { shared, options } of listeners) {
      await server.listen(shared.lend(isLeading), options);
      // Whoever reads the traffic between the nodes could forward, so no right of an operator comes this way.
      const forwardedOptions = { ...options, admin: false, proxied: true };
      await server.listen(forwarded.listenerFor(options, isLeading), forwardedOptions);
    }
    whenServing();
  }

  async #untilEnd(term: Term, ledger: Ledger): Promise<void> {
    while (!term.end.aborted) {
      void this.#remember(ledger);
      await pause(NOTE_EACH_MS, term.end);
    }
  }

  /** C7: never rejects. */
  #remember({ tokens }: Ledger): Promise<void> {
    const { known } = this.#parts.options;
    known.token = Math.max(known.token, tokens.last + TOKENS_AHEAD);
    return known.save();
  }

  /** C5: answers nothing more, then gives the key up, so that the next leader need not wait for the lease. */
  async #handOver(server: LeadingServer, ledger: Ledger, term: Term): Promise<void> {
    await server.close({ drainMs: this.#parts.drainMs(), signal: term.replaced });
    await ledger.close();
    if (term.isLeading) await this.#parts.leaderKey.giveUp(term.epoch);
  }

  async #describe(epoch: number, sessions: number): Promise<object> {
    const { client, prefix, node, address } = this.#parts.options;
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
      etcd: { endpoint: client.endpoint, version, lagMs: Math.round(this.#parts.lagMs()), revision },
    };
  }
}

/** Asks once for all who ask within that time, since any client may ask and each question goes to etcd. */
function shareFor(shareMs: number, ask: () => Promise<object>): () => Promise<object> {
  let answer: Promise<object> | undefined;
  let askedMs = 0;
  return () => {
    if (answer === undefined || performance.now() - askedMs >= shareMs) {
      askedMs = performance.now();
      answer = ask();
    }
    return answer;
  };
}
