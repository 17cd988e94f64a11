/** `holdfast top`: the longest waits and holds, rates and limits of a server, shown again and again. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { LockClient } from '../../../client/lock-client.ts';
import { HOLDFAST_CODES } from '../exit-codes.ts';
import { Failure } from '../failure.ts';
import { follow, noteOnStandardError, repeat } from '../follow.ts';
import { showText } from '../format.ts';
import { placeOf } from '../place.ts';
import { print, printJson, type QueryOptions } from '../query.ts';
import { type PageContents, pageOf, SORTS, type Sort } from './page.ts';
import { ratesBetween, type Sample, takeSample } from './sample.ts';
import { Screen } from './screen.ts';

/** Without a terminal lines are as long as they need to be. */
const UNBOUNDED = { columns: Number.MAX_SAFE_INTEGER, rows: Number.MAX_SAFE_INTEGER };

/** What a command line of `top` says. */
export interface TopOptions extends QueryOptions {
  /** How often the page is shown again, in milliseconds. */
  readonly every: number;
  readonly sort: Sort;
  readonly once?: true;
}

/** Shows a page until somebody quits, or prints once, or JSON. Rejects with a `Failure` where the page has no terminal. */
export async function top(options: TopOptions): Promise<number> {
  const place = placeOf(options).servers.join(', ');
  if (options.once === true)
    return await follow(options, noteOnStandardError, (client) => printOnce(client, place, options));
  if (options.json === true) return await follow(options, noteOnStandardError, (client) => printEach(client, options));
  if (!process.stdout.isTTY) {
    throw new Failure(HOLDFAST_CODES.usage, 'standard output is no terminal; expected one, or --once, or --json');
  }
  const page = new TopPage(place, options);
  return await follow(options, page.note, (client) => page.show(client));
}

/** Rates need two samples. */
async function printOnce(client: LockClient, place: string, options: TopOptions): Promise<number> {
  const earlier = await takeSample(client);
  await sleep(options.every);
  const sample = await takeSample(client);
  const rates = ratesBetween(earlier, sample);
  if (options.json === true) printJson([{ rates, ...sample }]);
  else print(`${pageOf({ place, sample, rates, sort: options.sort, note: '' }, UNBOUNDED).slice(0, -1).join('\n')}\n`);
  return HOLDFAST_CODES.ok;
}

async function printEach(client: LockClient, { every }: TopOptions): Promise<number> {
  let earlier: Sample | undefined;
  await repeat(every, async () => {
    const sample = await takeSample(client);
    const rates = ratesBetween(earlier, sample);
    earlier = sample;
    printJson([{ rates, ...sample }]);
  });
  return HOLDFAST_CODES.ok;
}

/** The page on a terminal. */
class TopPage {
  readonly #everyMs: number;
  readonly #screen: Screen;
  readonly #ending = new AbortController();
  #exitCode: number = HOLDFAST_CODES.ok;
  #contents: PageContents;

  constructor(place: string, { every, sort }: TopOptions) {
    this.#everyMs = every;
    this.#contents = { place, sample: undefined, rates: undefined, sort, note: '' };
    this.#screen = new Screen({
      key: (key) => this.#pressed(key),
      changed: () => this.#draw(),
      ended: (exitCode) => this.#end(exitCode),
    });
  }

  /** Shows something beside the page until the next sample. */
  readonly note = (text: string): void => this.#change({ note: showText(text) });

  /** Resolves to the exit code once somebody quits. Rejects when the server does not tell, and leaves the terminal as it was. */
  async show(client: LockClient): Promise<number> {
    this.#screen.open();
    const { signal } = this.#ending;
    const refresh = async (): Promise<void> => {
      const sample = await takeSample(client, signal);
      this.#change({ sample, rates: ratesBetween(this.#contents.sample, sample), note: '' });
    };
    try {
      await repeat(this.#everyMs, refresh, signal);
      return this.#exitCode;
    } finally {
      this.#screen.close();
    }
  }

  #end(exitCode: number): void {
    this.#exitCode = exitCode;
    this.#ending.abort();
  }

  #pressed(key: string): void {
    if (key === 'q') this.#end(HOLDFAST_CODES.ok);
    if (key === 's') {
      const next = SORTS[(SORTS.indexOf(this.#contents.sort) + 1) % SORTS.length];
      this.#change({ sort: next ?? 'time' });
    }
  }

  #change(change: Partial<PageContents>): void {
    this.#contents = { ...this.#contents, ...change };
    this.#draw();
  }

  #draw(): void {
    const { columns, rows } = process.stdout;
    this.#screen.draw(pageOf(this.#contents, { columns, rows }));
  }
}
