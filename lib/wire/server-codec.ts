/** How the server reads and writes newline-delimited JSON. Knows neither sockets nor what the messages mean. */

import { type Codec, parse, TextOutput } from './codec.ts';
import { ProtocolError, type RequestError } from './errors.ts';
import { writeReply } from './fast/reply-writer.ts';
import { readRequest } from './fast/request-reader.ts';
import { findTooManyValues } from './json-values.ts';
import { LineSplitter } from './line-splitter.ts';
import { stringify } from './stringify.ts';
import { decodeText, encodeUtf8 } from './text.ts';

const CARRIAGE_RETURN = 0x0d;

/**
 * Splits bytes into lines and lines into values. A line that is not JSON, or has more than `maxMessageValues`, is a
 * `RequestError`; one of more than `maxMessageBytes` is a `ProtocolError`, found before more than that was kept. Blank lines are passed over. There are
 * shortcuts for the messages that come and go most; the others are JSON, in which bytes that are no UTF-8 are kept as
 * lone surrogates.
 */
export class ServerCodec extends LineSplitter implements Codec {
  readonly encoding = 'latin1';
  readonly output: TextOutput = new TextOutput();
  readonly #maxMessageBytes: number;
  readonly #maxMessageValues: number;

  constructor(maxMessageBytes: number, maxMessageValues: number = Number.POSITIVE_INFINITY) {
    super(maxMessageBytes);
    this.#maxMessageBytes = maxMessageBytes;
    this.#maxMessageValues = maxMessageValues;
  }

  next(): unknown | RequestError | ProtocolError | undefined {
    const request = this.readNext(readRequest);
    if (request !== undefined) return request;
    for (let line = this.nextLine(); line !== undefined; line = this.nextLine()) {
      if (line === 'tooLong') {
        return new ProtocolError('limit', `a message is longer than maxMessageBytes, ${this.#maxMessageBytes}`);
      }
      // An empty line, perhaps with its carriage return, need not be decoded.
      if (line.length === 0 || (line.length === 1 && line[0] === CARRIAGE_RETURN)) continue;
      const value = findTooManyValues(line, this.#maxMessageValues) ?? parse(decodeText(line));
      if (value !== undefined) return value;
    }
    return undefined;
  }

  encode(message: object): void {
    this.output.add(writeReply(message) ?? `${encodeUtf8(stringify(message))}\n`);
  }
}
