/** The plan of a chaos run: in each round every kind of fault comes, in an order for which the seed decides. */

import { type ClientKind, SHORT_TIMEOUT_MS } from './clients.ts';
import type { FaultKind, FaultKindOptions } from './faults.ts';

/** One fault of the plan. */
export interface Planned<Kind extends FaultKind> {
  readonly kind: Kind;
  readonly client: number;
  readonly ms: number;
}

/** What the faults of a plan are chosen by. */
export interface ScheduleOptions {
  readonly clients: readonly ClientKind[];
  readonly isDurable: boolean;
  readonly hasDisk: boolean;
  /** Of the servers of a cluster. */
  readonly leaseMs?: number;
  /** Only these kinds; all if undefined. */
  readonly only: ReadonlySet<string> | undefined;
  readonly random: () => number;
}

/** The faults of one round. */
export function planRound<Kind extends FaultKind>(
  kinds: Readonly<Record<Kind, FaultKindOptions>>,
  options: ScheduleOptions,
): Planned<Kind>[] {
  const { random } = options;
  const planned = (Object.entries(kinds) as [Kind, FaultKindOptions][]).flatMap(([kind, kindOptions]) =>
    isPossible(kind, kindOptions, options)
      ? Array.from({ length: kindOptions.times ?? 1 }, () => plan(kind, kindOptions, options))
      : [],
  );
  // Fisher and Yates.
  for (let last = planned.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [planned[last], planned[other]] = [planned[other] as Planned<Kind>, planned[last] as Planned<Kind>];
  }
  return planned;
}

function isPossible(kind: FaultKind, options: FaultKindOptions, schedule: ScheduleOptions): boolean {
  if (schedule.only !== undefined && !schedule.only.has(kind)) return false;
  if (options.isDurable !== undefined && options.isDurable !== schedule.isDurable) return false;
  if (options.needsDisk === true && !schedule.hasDisk) return false;
  return targets(options, schedule).length > 0;
}

function plan<Kind extends FaultKind>(kind: Kind, options: FaultKindOptions, schedule: ScheduleOptions): Planned<Kind> {
  const { random, clients, leaseMs = 0 } = schedule;
  const possible = targets(options, schedule);
  const client = possible[Math.floor(random() * possible.length)] as number;
  const { ms, timeouts = [0, 0], leases } = options;
  // Without a session nothing is over by time alone.
  const { isKept, timeoutMs } = clients[client] as ClientKind;
  const unitMs = isKept ? timeoutMs : SHORT_TIMEOUT_MS;
  const [from, to] = ms ?? (leases === undefined ? scaled(timeouts, unitMs) : scaled(leases, leaseMs));
  return { kind, client, ms: from + random() * (to - from) };
}

function scaled([from, to]: readonly [number, number], unitMs: number): readonly [number, number] {
  return [from * unitMs, to * unitMs];
}

function targets({ routes, suits }: FaultKindOptions, { clients }: ScheduleOptions): readonly number[] {
  return clients.flatMap((client, index) =>
    routes.includes(client.route) && suits?.(client) !== false ? [index] : [],
  );
}
