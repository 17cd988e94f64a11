/** Newline-delimited JSON: one message a line, in UTF-8. Knows neither sockets nor what the messages mean. */

import type { Codec, StreamEncoding } from './codec.ts';
import { ProtocolError, RequestError } from './errors.ts';
import { LineSplitter } from './line-splitter.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** How a server reads and writes its messages: with shortcuts for those that come and go most. */
export interface MessageText {
  /** Also of bytes that are no UTF-8. */
  decode(bytes: Uint8Array): string;
  /** The value of a line of these bytes; undefined when it is left to `JSON`. */
  scan(bytes: Uint8Array, start: number, end: number): object | undefined;
  /** Any message as JSON in UTF-8, each character a byte: such a text is written much faster. */
  print(message: object): string;
}

/**
 * Splits bytes into lines and lines into values. A line that is not JSON is a `RequestError`; one of more than
 * `maxMessageBytes` is a `ProtocolError`, found before more than that was kept. Blank lines are passed over. Without a
 * `MessageText` it is a client's: what a server sends is UTF-8.
 */
export class NdjsonCodec implements Codec {
  readonly encoding: StreamEncoding;
  readonly #maxMessageBytes: number;
  readonly #text: MessageText | undefined;
  readonly #lines: LineSplitter;

  constructor(maxMessageBytes: number, text?: MessageText) {
    this.encoding = text === undefined ? 'utf8' : 'latin1';
    this.#maxMessageBytes = maxMessageBytes;
    this.#text = text;
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
      const value = this.#text?.scan(bytes, start, end) ?? parse(this.#decode(bytes.subarray(start, end)));
      if (value !== undefined) return value;
    }
    return undefined;
  }

  encode(message: object): string {
    return `${this.#text?.print(message) ?? JSON.stringify(message)}\n`;
  }

  #decode(bytes: Uint8Array): string {
    return this.#text === undefined ? decoder.decode(bytes) : this.#text.decode(bytes);
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
