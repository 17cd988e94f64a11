/** Newline-delimited JSON: one message a line, in UTF-8. Knows neither sockets nor what the messages mean. */

import type { Codec } from './codec.ts';
import { ProtocolError, RequestError } from './errors.ts';
import { LineSplitter } from './line-splitter.ts';
import { printReply } from './reply-printer.ts';
import { scanRequest } from './request-scanner.ts';
import { decodeText, encodeUtf8 } from './text.ts';

/**
 * Splits bytes into lines and lines into values. A line that is not JSON is a `RequestError`; one of more than
 * `maxMessageBytes` is a `ProtocolError`, found before more than that was kept. Blank lines are passed over.
 */
export class NdjsonCodec implements Codec {
  /** A text all of whose characters are bytes is written much faster. */
  readonly encoding = 'latin1';
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
    this.#lines.finish();
  }

  next(): unknown | RequestError | ProtocolError | undefined {
    for (let line = this.#lines.next(); line !== undefined; line = this.#lines.next()) {
      if (line === 'tooLong') return tooLong(this.#maxMessageBytes);
      const { bytes, start, end } = this.#lines;
      const value = scanRequest(bytes, start, end) ?? parse(decodeText(bytes.subarray(start, end)));
      if (value !== undefined) return value;
    }
    return undefined;
  }

  encode(message: object): string {
    return `${printReply(message) ?? encodeUtf8(JSON.stringify(message))}\n`;
  }
}

function tooLong(maxMessageBytes: number): ProtocolError {
  return new ProtocolError('limit', `a message is longer than maxMessageBytes, ${maxMessageBytes}`);
}

/** The value of a line, undefined for a blank one. */
function parse(text: string): unknown | RequestError | undefined {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (text.trim() === '') return undefined;
    return new RequestError('invalid', `not JSON: ${(error as Error).message}`);
  }
}
