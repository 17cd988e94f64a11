/** Newline-delimited JSON: one message a line, in UTF-8. Knows neither sockets nor what the messages mean. */

import type { Codec } from './codec.ts';
import { ProtocolError, RequestError } from './errors.ts';
import { LineSplitter } from './line-splitter.ts';
import { decodeText } from './text.ts';

/**
 * Splits bytes into lines and lines into values. A line that is not JSON is a `RequestError`; one of more than
 * `maxMessageBytes` is a `ProtocolError`, found before more than that was kept. Blank lines are passed over.
 */
export class NdjsonCodec implements Codec {
  readonly encoding = 'utf8';
  readonly #maxMessageBytes: number;
  readonly #lines: LineSplitter;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#lines = new LineSplitter(maxMessageBytes);
  }

  push(bytes: Uint8Array): void {
    this.#lines.push(bytes);
  }

  end(): void {
    this.#lines.end();
  }

  next(): unknown | RequestError | ProtocolError | undefined {
    for (let line = this.#lines.next(); line !== undefined; line = this.#lines.next()) {
      if (line === 'tooLong') return tooLong(this.#maxMessageBytes);
      const value = parse(line);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  encode(message: object): string {
    return `${JSON.stringify(message)}\n`;
  }
}

function tooLong(maxMessageBytes: number): ProtocolError {
  return new ProtocolError('limit', `a message is longer than maxMessageBytes, ${maxMessageBytes}`);
}

/** The value of a line, undefined for a blank one. */
function parse(line: Uint8Array): unknown | RequestError | undefined {
  const text = decodeText(line);
  try {
    return JSON.parse(text);
  } catch (error) {
    if (text.trim() === '') return undefined;
    return new RequestError('invalid', `not JSON: ${(error as Error).message}`);
  }
}
