/** What hurt whom, and when, in a chaos run. */

import type { ClientKind, Route } from './clients.ts';
import { type Costs, costsOf } from './costs.ts';
import type { Fault, FaultKind, SeenKind } from './faults.ts';

/** What a fault costs beyond its own time: redialling, and the next request. */
const RECOVERY_MS = 500;
const MS_A_SECOND = 1_000;
const CUT_OFF = 'leader cut off from etcd for long';

export interface FaultLogOptions {
  readonly clients: readonly ClientKind[];
  readonly isDurable: boolean;
  /** By how much longer a next server waits for sessions than their time-outs. */
  readonly extraWaitMs: number;
  readonly startMs: number;
}

export class FaultLog {
  /** What was injected. */
  readonly faults: Fault[] = [];
  /** What nobody injected. */
  readonly #seen: Fault[] = [];
  readonly #options: FaultLogOptions;
  /** Of the sessions that outlive their connections, with what a next server adds. */
  readonly longestTimeoutMs: number;

  constructor(options: FaultLogOptions) {
    this.#options = options;
    const kept = options.clients.filter(({ isKept }) => isKept);
    this.longestTimeoutMs = options.extraWaitMs + Math.max(...kept.map(({ timeoutMs }) => timeoutMs));
  }

  clientKind(client: number): ClientKind {
    return this.#options.clients[client] as ClientKind;
  }

  /** What a fault may cost a client that it hits. */
  costs(fault: Fault, client: number): Costs {
    return costsOf(this.#kindOf(fault), this.clientKind(client), this.#options.isDurable);
  }

  /** A leader changes while it is cut off because it is, and that costs no more. */
  #kindOf({ kind, fromMs, untilMs }: Fault): FaultKind | SeenKind {
    const isCutOff = (fault: Fault): boolean =>
      fault.kind === CUT_OFF && fault.fromMs <= untilMs && fault.untilMs >= fromMs;
    return kind === 'leader changed' && this.faults.some(isCutOff) ? CUT_OFF : kind;
  }

  /** The processes of a client, of a route, or the server's, waited for a processor. */
  starved(whom: { readonly client?: number; readonly route?: Route }, fromMs: number, untilMs: number): void {
    const { client, route } = whom;
    this.#seen.push({ kind: 'starved', client, route, fromMs, untilMs });
  }

  /** Something that nobody injected hits all of a route, or all. */
  saw(seen: Fault & { readonly kind: Exclude<SeenKind, 'starved'> }): void {
    this.#seen.push(seen);
  }

  /** What may have cost a lock, injected or not. */
  get causes(): readonly Fault[] {
    return [...this.faults, ...this.#seen];
  }

  /** For how long the server waited for a processor within some time. */
  serverStarvedMs(fromMs: number, untilMs: number): number {
    const starved = this.#seen.filter((seen) => seen.kind === 'starved' && isOfServer(seen));
    return overlapMs(starved, fromMs, untilMs);
  }

  /** For how long the server was hurt within some time. */
  serverHurtMs(fromMs: number, untilMs: number): number {
    return overlapMs(this.causes.filter(isOfServer), fromMs, untilMs);
  }

  /** How long a client was kept from an answer within some time. */
  hurtMs(client: number, fromMs: number, untilMs: number): number {
    const longestMs = Math.max(this.longestTimeoutMs, this.clientKind(client).timeoutMs);
    return this.near(client, fromMs - longestMs, untilMs).reduce((sum, fault) => {
      const { mayDelay, silentMs } = this.costs(fault, client);
      const overMs = fault.untilMs + Math.max(silentMs, mayDelay ? this.longestTimeoutMs : 0);
      if (overMs < fromMs) return sum;
      return sum + Math.min(overMs, untilMs) - Math.max(fault.fromMs, fromMs) + RECOVERY_MS;
    }, 0);
  }

  /** How long a client was kept from an answer by what hit it alone, or it and others on its route. */
  ownHurtMs(client: number, fromMs: number, untilMs: number): number {
    const own = this.near(client, fromMs, untilMs).filter(
      (fault) => fault.client === client || (fault.route !== undefined && fault.kind !== 'starved'),
    );
    return own.reduce((sum, fault) => {
      return sum + Math.min(fault.untilMs, untilMs) - Math.max(fault.fromMs, fromMs) + RECOVERY_MS;
    }, 0);
  }

  /** All that hit a client within some time. */
  near(client: number, fromMs: number, untilMs: number): Fault[] {
    return this.causes.filter(
      (fault) => this.hits(fault, client) && fault.untilMs >= fromMs && fault.fromMs <= untilMs,
    );
  }

  hits({ client, route }: Fault, hit: number): boolean {
    if (client !== undefined) return client === hit;
    return route === undefined || route === this.clientKind(hit).route;
  }

  /** For people. */
  show(client: number, fromMs: number, untilMs: number): string {
    const near = this.near(client, fromMs, untilMs);
    const injected = near.filter(({ kind }) => kind !== 'starved');
    const starvedCount = near.length - injected.length;
    const shown = injected.map((fault) => `${fault.kind} ${this.time(fault.fromMs)}-${this.time(fault.untilMs)}`);
    if (starvedCount > 0) shown.push(`starved ${starvedCount} times`);
    return `[${shown.join('; ')}]`;
  }

  /** Seconds since the start. */
  time(atMs: number): string {
    return ((atMs - this.#options.startMs) / MS_A_SECOND).toFixed(3);
  }
}

/** The longest time that faults took, with those that the one before left no time to recover from. */
export function longestMs(faults: readonly Fault[], nowMs: number): number {
  let [longest, fromMs, untilMs] = [0, 0, Number.NEGATIVE_INFINITY];
  for (const fault of [...faults].sort((a, b) => a.fromMs - b.fromMs)) {
    if (fault.fromMs > untilMs) fromMs = fault.fromMs;
    untilMs = Math.max(untilMs, Math.min(fault.untilMs, nowMs) + RECOVERY_MS);
    longest = Math.max(longest, untilMs - fromMs);
  }
  return longest;
}

function isOfServer({ client, route }: Fault): boolean {
  return client === undefined && route === undefined;
}

function overlapMs(faults: readonly Fault[], fromMs: number, untilMs: number): number {
  return faults.reduce((sum, fault) => {
    return sum + Math.max(0, Math.min(fault.untilMs, untilMs) - Math.max(fault.fromMs, fromMs));
  }, 0);
}
