/** How the server reads and writes newline-delimited JSON. Knows neither sockets nor what the messages mean. */

import { type Codec, parse, TextOutput } from './codec.ts';
import { ProtocolError, type RequestError } from './errors.ts';
import { AsciiReader } from './fast/ascii-reader.ts';
import { writeReply } from './fast/reply-writer.ts';
import { readRequest } from './fast/request-reader.ts';
import { LineSplitter } from './line-splitter.ts';
import { decodeText, encodeUtf8 } from './text.ts';

/**
 * Splits bytes into lines and lines into values. A line that is not JSON is a `RequestError`; one of more than
 * `maxMessageBytes` is a `ProtocolError`, found before more than that was kept. Blank lines are passed over. There are
 * shortcuts for the messages that come and go most; the others are JSON, in which bytes that are no UTF-8 are kept as
 * lone surrogates.
 */
export class ServerCodec implements Codec {
  readonly encoding = 'latin1';
  readonly output: TextOutput = new TextOutput();
  readonly #maxMessageBytes: number;
  readonly #lines: LineSplitter;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#lines = new LineSplitter(maxMessageBytes);
  }

  push(bytes: Uint8Array, end?: number): void {
    this.#lines.push(bytes, end);
  }

  keep(): void {
    this.#lines.keep();
  }

  end(): void {
    this.#lines.finish();
  }

  next(): unknown | RequestError | ProtocolError | undefined {
    const lines = this.#lines;
    // Who reads a common request finds its end on the way.
    if (lines.peek()) {
      reader.begin(lines.bytes, lines.start, lines.end);
      const request = readRequest(reader);
      if (request !== undefined) {
        lines.skipTo(reader.at);
        return request;
      }
    }
    for (let line = lines.next(); line !== undefined; line = lines.next()) {
      if (line === 'tooLong') {
        return new ProtocolError('limit', `a message is longer than maxMessageBytes, ${this.#maxMessageBytes}`);
      }
      const value = parse(decodeText(lines.bytes.subarray(lines.start, lines.end)));
      if (value !== undefined) return value;
    }
    return undefined;
  }

  encode(message: object): void {
    this.output.add(writeReply(message) ?? `${encodeUtf8(JSON.stringify(message))}\n`);
  }
}

/** One for all connections: what it reads of one line it reads at once. */
const reader = new AsciiReader();
