/** What hurt whom, and when, in a chaos run. */

import type { Fault, Route } from './faults.ts';

/** What a fault costs beyond its own time: redialling, and the next request. */
const RECOVERY_MS = 500;
const MS_A_SECOND = 1_000;

export interface FaultLogOptions {
  /** The route of each client. */
  readonly routes: readonly Route[];
  readonly sessionMs: number;
  readonly startMs: number;
}

export class FaultLog {
  /** What was injected. */
  readonly faults: Fault[] = [];
  readonly #starved: Fault[] = [];
  readonly #options: FaultLogOptions;

  constructor(options: FaultLogOptions) {
    this.#options = options;
  }

  /** The processes of a client, of a route, or the server's, waited for a processor. */
  starved(whom: { readonly client?: number; readonly route?: Route }, fromMs: number, untilMs: number): void {
    const { client, route } = whom;
    const costs = { mayCost: false, mayOverlap: false, mayDelay: false };
    this.#starved.push({ kind: 'starved', client, route, fromMs, untilMs, ...costs });
  }

  /** For how long the server waited for a processor within some time. */
  serverStarvedMs(fromMs: number, untilMs: number): number {
    const ofServer = this.#starved.filter(({ client, route }) => client === undefined && route === undefined);
    return ofServer.reduce((sum, fault) => {
      return sum + Math.max(0, Math.min(fault.untilMs, untilMs) - Math.max(fault.fromMs, fromMs));
    }, 0);
  }

  /** How long a client was kept from an answer within some time. */
  hurtMs(client: number, fromMs: number, untilMs: number): number {
    const { sessionMs } = this.#options;
    return this.near(client, fromMs - sessionMs, untilMs).reduce((sum, fault) => {
      const overMs = fault.untilMs + (fault.mayDelay ? sessionMs : 0);
      if (overMs < fromMs) return sum;
      return sum + Math.min(overMs, untilMs) - Math.max(fault.fromMs, fromMs) + RECOVERY_MS;
    }, 0);
  }

  /** How long a client was kept from an answer by what hit it alone. */
  ownHurtMs(client: number, fromMs: number, untilMs: number): number {
    const own = this.near(client, fromMs, untilMs).filter((fault) => fault.client === client);
    return own.reduce((sum, fault) => {
      return sum + Math.min(fault.untilMs, untilMs) - Math.max(fault.fromMs, fromMs) + RECOVERY_MS;
    }, 0);
  }

  /** All that hit a client within some time. */
  near(client: number, fromMs: number, untilMs: number): Fault[] {
    return [...this.faults, ...this.#starved].filter(
      (fault) => this.hits(fault, client) && fault.untilMs >= fromMs && fault.fromMs <= untilMs,
    );
  }

  hits({ client, route }: Fault, hit: number): boolean {
    if (client !== undefined) return client === hit;
    return route === undefined || route === this.#options.routes[hit];
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
