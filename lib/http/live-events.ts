/** Tells open pages every two seconds how things are, by server-sent events: asks the monitor once and sends all pages the answer. */

import type { ServerResponse } from 'node:http';
import type { Surveys } from '../server/surveys.ts';
import { describeBlocked, describeStatus } from './api.ts';
import { type HttpAnswer, HttpError } from './http-server.ts';
import type { Monitored } from './monitored.ts';

const PERIOD_MS = 2_000;
const MAX_PAGES = 32;
/** A page that leaves more unread is cut off; it connects again by itself. */
const MAX_UNREAD_BYTES = 1_048_576;

export class LiveEvents {
  readonly #monitored: () => Monitored;
  readonly #surveys: Surveys;
  readonly #failed: (error: unknown) => void;
  readonly #pages = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;

  constructor(monitored: () => Monitored, surveys: Surveys, failed: (error: unknown) => void) {
    this.#monitored = monitored;
    this.#surveys = surveys;
    this.#failed = failed;
  }

  /** Answers with events until the client leaves. @throws HttpError when there are too many pages. */
  answer(): HttpAnswer {
    if (this.#pages.size >= MAX_PAGES) throw new HttpError(503, `there are ${MAX_PAGES} open pages already`);
    return { type: 'text/event-stream', start: (response) => this.#add(response) };
  }

  /** Ends all answers. */
  close(): void {
    clearTimeout(this.#timer);
    for (const page of this.#pages) page.destroy();
  }

  #add(page: ServerResponse): void {
    this.#pages.add(page);
    page.once('close', () => this.#pages.delete(page));
    if (this.#pages.size === 1) clearTimeout(this.#timer);
    void this.#tell();
  }

  /** There is one timer while there is a page, and none without one. */
  async #tell(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const text = await this.#describe();
      for (const page of this.#pages) {
        if (page.writableLength > MAX_UNREAD_BYTES) page.destroy();
        else page.write(text);
      }
    } catch (error) {
      this.#failed(error);
    }
    clearTimeout(this.#timer);
    if (this.#pages.size > 0) this.#timer = setTimeout(() => void this.#tell(), PERIOD_MS);
  }

  async #describe(): Promise<string> {
    const monitored = this.#monitored();
    const status = eventOf('status', await describeStatus(monitored));
    if (monitored.role === 'standby' || !monitored.monitor.isDumpOn) return status;
    return status + eventOf('blocked', await describeBlocked(monitored.monitor, this.#surveys));
  }
}

function eventOf(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
