/** Shares one survey of the locks among all who ask, and takes a bounded part of the processor for it. */

import type { ServerMonitor, Survey, SurveyOptions } from './server-monitor.ts';

/** How many of the longest holds and waits are told. */
export const MAX_SURVEYED = 50;
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

/** The surveys that some of those who ask share. */
export class Surveys {
  #groupOf: SurveyOptions['groupOf'];
  /** Weak, since another server leads after a fail-over, and the locks of the one before are to be forgotten. */
  #taken = new WeakMap<ServerMonitor, Taken>();

  /** Sums up the groups that names belong to, if there are any. */
  constructor(groupOf?: SurveyOptions['groupOf']) {
    this.#groupOf = groupOf;
  }

  /** Makes other groups hold: the next who asks gets a new survey. */
  change(groupOf: SurveyOptions['groupOf']): void {
    this.#groupOf = groupOf;
    this.#taken = new WeakMap();
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
    try {
      const survey = await monitor.survey({ max: MAX_SURVEYED, groupOf: this.#groupOf });
      const endMs = performance.now();
      const restMs = Math.min(MOST_REST_MS, Math.max(LEAST_REST_MS, (endMs - startMs) * REST_SHARE));
      taken.last = { survey, endMs, restMs };
      return survey;
    } finally {
      taken.running = undefined;
    }
  }
}
