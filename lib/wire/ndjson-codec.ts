/** Newline-delimited JSON: one message a line, in UTF-8. Knows neither sockets nor what the messages mean. */

import type { Codec, StreamEncoding } from './codec.ts';
import { ProtocolError, type RequestError } from './errors.ts';
import { parse } from './json.ts';
import { LineSplitter } from './line-splitter.ts';
import { TextOutput } from './text-output.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Splits bytes into lines and lines into values. A line that is not JSON is a `RequestError`; one of more than
 * `maxMessageBytes` is a `ProtocolError`, found before more than that was kept. Blank lines are passed over. The
 * server extends it; clients have a codec of their own.
 */
export class NdjsonCodec implements Codec {
  readonly encoding: StreamEncoding = 'utf8';
  readonly output: TextOutput = new TextOutput();
  readonly #maxMessageBytes: number;
  protected readonly lines: LineSplitter;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
    this.lines = new LineSplitter(maxMessageBytes);
  }

  push(bytes: Uint8Array, end?: number): void {
    this.lines.push(bytes, end);
  }

  keep(): void {
    this.lines.keep();
  }

  end(): void {
    this.lines.finish();
  }

  next(): unknown | RequestError | ProtocolError | undefined {
    const lines = this.lines;
    for (;;) {
      const line = lines.next();
      if (line === undefined) return undefined;
      if (line === 'tooLong') {
        return new ProtocolError('limit', `a message is longer than maxMessageBytes, ${this.#maxMessageBytes}`);
      }
      const value = this.read(lines.bytes, lines.start, lines.end);
      if (value !== undefined) return value;
    }
  }

  encode(message: object): void {
    this.output.add(`${JSON.stringify(message)}\n`);
  }

  /** The value of a line, undefined for a blank one. */
  protected read(bytes: Uint8Array, start: number, end: number): unknown | RequestError | undefined {
    return parse(decoder.decode(bytes.subarray(start, end)));
  }
}
