/** Log lines that peers can cause, limited in rate: whoever can connect must not be able to fill the log. */

import type { Logger } from './logger.ts';
import { startTimeout } from './timeout.ts';

const PERIOD_MS = 60_000;
const MAX_KEYS = 10;

/** One thing to tell. */
export interface QuietLine {
  readonly level: 'info' | 'warn' | 'error';
  /** Lines of one topic are limited together. */
  readonly topic: string;
  /** A topic tells of each key once: the peer without its port, or the name of a lock. */
  readonly key: string;
  readonly details: object;
  readonly message: string;
  /** Details and message for `count` lines of the topic that were left out, when this is the last of them. */
  readonly leftOut: (count: number) => { readonly details: object; readonly message: string };
}

/** Of one topic, from its first line on. */
interface Period {
  /** Keys that have a line already. */
  readonly keys: Set<string>;
  readonly stopTimer: () => void;
  untold: number;
  last: QuietLine;
}

/**
 * For each topic, one line a minute for each key and for ten keys at most. The others are counted, and told in one line
 * when the minute is over.
 */
export class QuietLog {
  readonly #logger: Logger;
  readonly #periodMs: number;
  readonly #periods = new Map<string, Period>();

  /** `periodMs` is the length of a period in milliseconds, a minute by default. */
  constructor(logger: Logger, periodMs: number = PERIOD_MS) {
    this.#logger = logger;
    this.#periodMs = periodMs;
  }

  tell(line: QuietLine): void {
    const { level, topic, key, details, message } = line;
    const period = this.#periods.get(topic) ?? this.#begin(line);
    if (period.keys.size < MAX_KEYS && !period.keys.has(key)) {
      period.keys.add(key);
      this.#logger[level](details, message);
    } else {
      period.untold += 1;
      period.last = line;
    }
  }

  /** Ends all periods now. */
  flush(): void {
    for (const topic of [...this.#periods.keys()]) this.#end(topic);
  }

  #begin(line: QuietLine): Period {
    const { topic } = line;
    const stopTimer = startTimeout(this.#periodMs, () => this.#end(topic), 'background');
    const period = { keys: new Set<string>(), stopTimer, untold: 0, last: line };
    this.#periods.set(topic, period);
    return period;
  }

  #end(topic: string): void {
    const period = this.#periods.get(topic);
    if (period === undefined) return;
    const { stopTimer, untold, last } = period;
    this.#periods.delete(topic);
    stopTimer();
    if (untold === 0) return;
    const { details, message } = last.leftOut(untold);
    this.#logger[last.level](details, message);
  }
}
