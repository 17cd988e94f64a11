/** The plan of a chaos run: in each round every kind of fault comes, in an order for which the seed decides. */

import type { FaultKind, FaultKindOptions, Route } from './faults.ts';

/** One fault of the plan. */
export interface Planned<Kind extends FaultKind> {
  readonly kind: Kind;
  readonly client: number;
  readonly ms: number;
}

/** What the faults of a plan are chosen by. */
export interface ScheduleOptions {
  /** The route of each client. */
  readonly routes: readonly Route[];
  readonly sessionMs: number;
  readonly isDurable: boolean;
  readonly hasDisk: boolean;
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
  return options.routes.some((route) => schedule.routes.includes(route));
}

function plan<Kind extends FaultKind>(
  kind: Kind,
  { routes, ms, timeouts }: FaultKindOptions,
  schedule: ScheduleOptions,
): Planned<Kind> {
  const { random, sessionMs } = schedule;
  const clients = schedule.routes.flatMap((route, index) => (routes.includes(route) ? [index] : []));
  const client = clients[Math.floor(random() * clients.length)] as number;
  const [from, to] = ms ?? [(timeouts?.[0] ?? 0) * sessionMs, (timeouts?.[1] ?? 0) * sessionMs];
  return { kind, client, ms: from + random() * (to - from) };
}
