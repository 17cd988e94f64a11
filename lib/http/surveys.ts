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

export class Surveys {
  readonly #groupOf: ((name: string) => string | undefined) | undefined;
  /** Of which server, since another one leads after a fail-over. */
  #monitor: ServerMonitor | undefined;
  #running: Promise<Survey> | undefined;
  #last: { readonly survey: Survey; readonly endMs: number; readonly restMs: number } | undefined;

  constructor(groups: readonly NameGroup[]) {
    this.#groupOf = groupFinder(groups);
  }

  /** Resolves to the last survey, or to a new one if that is old enough. */
  async latest(monitor: ServerMonitor): Promise<DatedSurvey> {
    if (monitor !== this.#monitor) this.#forget(monitor);
    const last = this.#last;
    const ageMs = last === undefined ? 0 : performance.now() - last.endMs;
    if (last !== undefined && ageMs < last.restMs) return { survey: last.survey, ageMs: Math.round(ageMs) };
    this.#running ??= this.#take(monitor);
    return { survey: await this.#running, ageMs: 0 };
  }

  #forget(monitor: ServerMonitor): void {
    this.#monitor = monitor;
    this.#running = undefined;
    this.#last = undefined;
  }

  async #take(monitor: ServerMonitor): Promise<Survey> {
    const startMs = performance.now();
    const survey = await monitor.survey({ max: MAX_TOLD, groupOf: this.#groupOf });
    if (monitor !== this.#monitor) return survey;
    const endMs = performance.now();
    const restMs = Math.min(MOST_REST_MS, Math.max(LEAST_REST_MS, (endMs - startMs) * REST_SHARE));
    this.#last = { survey, endMs, restMs };
    this.#running = undefined;
    return survey;
  }
}
