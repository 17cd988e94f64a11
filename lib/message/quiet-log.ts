/** Warnings about what is refused, without letting peers fill the log: whoever can connect can cause them. */

import type { Logger } from './logger.ts';
import { startTimeout } from './timeout.ts';

const PERIOD_MS = 60_000;
const MAX_ADDRESSES = 10;

/** One thing to tell. */
export interface QuietLine {
  /** Lines of one topic are limited together. */
  readonly topic: string;
  /** The peer, without its port. */
  readonly address: string;
  readonly message: string;
}

/** Of one topic, from its first line on. */
interface Period {
  /** Those that were told of. */
  readonly addresses: Set<string>;
  readonly stopTimer: () => void;
  untold: number;
  lastAddress: string;
}

/**
 * For each topic, one line a minute for each address and for ten addresses at most. The others are counted, and told in
 * one line when the minute is over.
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

  warn({ topic, address, message }: QuietLine): void {
    const period = this.#periods.get(topic) ?? this.#begin(topic);
    if (period.addresses.size < MAX_ADDRESSES && !period.addresses.has(address)) {
      period.addresses.add(address);
      this.#logger.warn({ reason: topic, address }, message);
    } else {
      period.untold += 1;
      period.lastAddress = address;
    }
  }

  /** Ends all periods now. */
  flush(): void {
    for (const topic of [...this.#periods.keys()]) this.#end(topic);
  }

  #begin(topic: string): Period {
    const stopTimer = startTimeout(this.#periodMs, () => this.#end(topic), 'background');
    const period = { addresses: new Set<string>(), stopTimer, untold: 0, lastAddress: '' };
    this.#periods.set(topic, period);
    return period;
  }

  #end(topic: string): void {
    const period = this.#periods.get(topic);
    if (period === undefined) return;
    const { stopTimer, untold, lastAddress } = period;
    this.#periods.delete(topic);
    stopTimer();
    if (untold === 0) return;
    const message = `${untold} more were refused within a minute (${topic}), the last from ${lastAddress}`;
    this.#logger.warn({ reason: topic, count: untold, address: lastAddress }, message);
  }
}
