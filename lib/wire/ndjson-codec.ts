/** Newline-delimited JSON: one message a line, in UTF-8. Knows neither sockets nor what the messages mean. */

import type { Codec } from './codec.ts';
import { ProtocolError, RequestError } from './errors.ts';
import { decodeText } from './text.ts';

const NEWLINE = 0x0a;
const FIRST_CAPACITY = 256;

/**
 * Splits bytes into lines and lines into values. A line that is not JSON is a `RequestError`; one of more than
 * `maxMessageBytes` is a `ProtocolError`, found before more than that was kept. Blank lines are passed over.
 */
export class NdjsonCodec implements Codec {
  readonly #maxMessageBytes: number;
  /** Chunks that have not been looked through; the first from `#offset` on. */
  readonly #chunks: Uint8Array[] = [];
  #offset = 0;
  /** The beginning of a line whose end has not come: the first `#partialLength` bytes. */
  #partial: Uint8Array | undefined;
  #partialLength = 0;
  #state: 'reading' | 'ended' | 'broken' = 'reading';

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  push(bytes: Uint8Array): void {
    if (this.#state === 'reading' && bytes.length > 0) this.#chunks.push(bytes);
  }

  end(): void {
    if (this.#state === 'reading') this.#state = 'ended';
  }

  next(): unknown | RequestError | ProtocolError | undefined {
    for (;;) {
      const line = this.#nextLine();
      if (line === undefined || line instanceof ProtocolError) return line;
      const value = parse(line);
      if (value !== undefined) return value;
    }
  }

  encode(message: object): string {
    return `${JSON.stringify(message)}\n`;
  }

  #nextLine(): Uint8Array | ProtocolError | undefined {
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const end = chunk.indexOf(NEWLINE, this.#offset);
      const piece = chunk.subarray(this.#offset, end === -1 ? chunk.length : end);
      if (this.#partialLength + piece.length > this.#maxMessageBytes) return this.#breakOff();
      if (end === -1 || end === chunk.length - 1) {
        this.#chunks.shift();
        this.#offset = 0;
      } else {
        this.#offset = end + 1;
      }
      if (end !== -1) return this.#completeLine(piece);
      this.#keep(piece);
    }
    if (this.#state === 'ended' && this.#partialLength > 0) return this.#completeLine(new Uint8Array(0));
    return undefined;
  }

  #completeLine(piece: Uint8Array): Uint8Array {
    if (this.#partialLength === 0) return piece;
    this.#keep(piece);
    const line = (this.#partial as Uint8Array).subarray(0, this.#partialLength);
    this.#partial = undefined;
    this.#partialLength = 0;
    return line;
  }

  /** Copies: a chunk may be a small view of a much larger buffer. Doubles its room, so that single bytes stay cheap. */
  #keep(piece: Uint8Array): void {
    const length = this.#partialLength + piece.length;
    if (this.#partial === undefined || this.#partial.length < length) {
      let capacity = this.#partial?.length ?? FIRST_CAPACITY;
      while (capacity < length) capacity *= 2;
      const larger = new Uint8Array(capacity);
      if (this.#partial !== undefined) larger.set(this.#partial.subarray(0, this.#partialLength));
      this.#partial = larger;
    }
    this.#partial.set(piece, this.#partialLength);
    this.#partialLength = length;
  }

  #breakOff(): ProtocolError {
    this.#state = 'broken';
    this.#chunks.length = 0;
    this.#partial = undefined;
    this.#partialLength = 0;
    return new ProtocolError('limit', `a message is longer than maxMessageBytes, ${this.#maxMessageBytes}`);
  }
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
