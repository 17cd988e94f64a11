/** Items that arrive and are awaited one by one. */

import type { Duplex } from 'node:stream';
import { whenTestEnds } from './clean-up.ts';

interface Reader<Item> {
  readonly resolve: (item: Item) => void;
  readonly reject: (error: Error) => void;
}

/** Keeps items in order until the test asks for them. */
export class Inbox<Item> {
  readonly #items: Item[] = [];
  /** How many of them the test has asked for: taking the first of many away would move all others. */
  #taken = 0;
  readonly #readers: Reader<Item>[] = [];
  #end: Error | undefined;

  /** The number of items that the test has not asked for. */
  get size(): number {
    return this.#items.length - this.#taken;
  }

  push(item: Item): void {
    const reader = this.#readers.shift();
    if (reader === undefined) this.#items.push(item);
    else reader.resolve(item);
  }

  /** Rejects all waiting reads, and reads beyond the last item, with this error. */
  end(error: Error): void {
    this.#end = error;
    for (const reader of this.#readers.splice(0)) reader.reject(error);
  }

  next(): Promise<Item> {
    if (this.size > 0) {
      this.#taken += 1;
      return Promise.resolve(this.#items[this.#taken - 1] as Item);
    }
    if (this.#end !== undefined) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject });
    });
  }
}

/** The lines that come on a stream, which is destroyed when the test ends. */
export class LineInbox extends Inbox<string> {
  /** Resolves when the stream is gone, whoever closed it. */
  readonly closed: Promise<void>;
  /** The text after the last line break. */
  incomplete = '';

  constructor(stream: Duplex, encoding: BufferEncoding) {
    super();
    whenTestEnds(() => stream.destroy());
    stream.setEncoding(encoding);
    stream.on('data', (text: string) => {
      const lines = (this.incomplete + text).split('\n');
      this.incomplete = lines.pop() as string;
      for (const line of lines) this.push(line);
    });
    // `close` follows an error.
    stream.on('error', () => {});
    this.closed = new Promise((resolve) => {
      stream.once('close', () => {
        const rest = this.incomplete === '' ? '' : `, after ${JSON.stringify(this.incomplete)}`;
        this.end(new Error(`the connection is closed${rest}`));
        resolve();
      });
    });
  }
}
