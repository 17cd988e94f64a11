/** Shares one survey of the locks among all who ask, and takes a bounded part of the processor for it. */

import type { ServerMonitor, Survey } from '../server/server-monitor.ts';
import { groupFinder, type NameGroup } from './name-groups.ts';

/** How many of the longest holds and waits are told. */
const MAX_TOLD = 50;
/** No survey begins before the last one is this old. */
const LEAST_REST_MS = 1_000;
/** Between two surveys there are so many times the milliseconds that the last one took: at most 2 % of the time. */
const REST_SHARE = 50;
const MOST_REST_MS = 60_000;

/** A survey, and how old it is. */
export interface DatedSurvey {
  readonly survey: Survey;
  readonly ageMs: number;
}

/** The surveys of one server. */
interface Taken {
  running?: Promise<Survey> | undefined;
  last?: { readonly survey: Survey; readonly endMs: number; readonly restMs: number };
}

export class Surveys {
  readonly #groupOf: ((name: string) => string | undefined) | undefined;
  /** Weak, since another server leads after a fail-over, and the locks of the one before are to be forgotten. */
  readonly #taken = new WeakMap<ServerMonitor, Taken>();

  constructor(groups: readonly NameGroup[]) {
    this.#groupOf = groupFinder(groups);
  }

  /** Resolves to the last survey, or to a new one if that is old enough. */
  async latest(monitor: ServerMonitor): Promise<DatedSurvey> {
    const taken: Taken = this.#taken.get(monitor) ?? {};
    this.#taken.set(monitor, taken);
    const { last } = taken;
    const ageMs = last === undefined ? 0 : performance.now() - last.endMs;
    if (last !== undefined && ageMs < last.restMs) return { survey: last.survey, ageMs: Math.round(ageMs) };
    taken.running ??= this.#take(monitor, taken);
    return { survey: await taken.running, ageMs: 0 };
  }

  async #take(monitor: ServerMonitor, taken: Taken): Promise<Survey> {
    const startMs = performance.now();
    const survey = await monitor.survey({ max: MAX_TOLD, groupOf: this.#groupOf });
    const endMs = performance.now();
    const restMs = Math.min(MOST_REST_MS, Math.max(LEAST_REST_MS, (endMs - startMs) * REST_SHARE));
    taken.last = { survey, endMs, restMs };
    taken.running = undefined;
    return survey;
  }
}
