/** pkLockServer's framing: a 4-byte big-endian length, then that many bytes of JSON. Knows neither sockets nor commands. */

import { Buffer } from 'node:buffer';
import { ByteBuffer } from '../../wire/byte-buffer.ts';
import { type Codec, TextOutput } from '../../wire/codec.ts';
import { ProtocolError, RequestError } from '../../wire/errors.ts';
import { findTooManyValues } from '../../wire/json-values.ts';
import { decodeText } from '../../wire/text.ts';

const PREFIX_BYTES = 4;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/**
 * A frame that is not JSON is a `RequestError`. A frame longer than `maxMessageBytes` is a `ProtocolError` as soon as
 * its length is read, before any of it is stored.
 */
export class PrefixedCodec implements Codec {
  readonly encoding = 'latin1';
  readonly output: TextOutput = new TextOutput();
  readonly #maxMessageBytes: number;
  readonly #maxMessageValues: number;
  readonly #chunks: Uint8Array[] = [];
  #offset = 0;
  readonly #partial: ByteBuffer = new ByteBuffer();
  /** The length of the next body; undefined while its prefix is being read. */
  #bodyBytes: number | undefined;
  #state: 'reading' | 'broken' = 'reading';

  constructor(maxMessageBytes: number, maxMessageValues: number = Number.POSITIVE_INFINITY) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#maxMessageValues = maxMessageValues;
  }

  get partialBytes(): number {
    return (this.#bodyBytes === undefined ? 0 : PREFIX_BYTES) + this.#partial.length;
  }

  push(bytes: Uint8Array, end?: number): void {
    const piece = end === undefined ? bytes : bytes.subarray(0, end);
    if (this.#state === 'reading' && piece.length > 0) this.#chunks.push(piece);
  }

  keep(): void {
    const last = this.#chunks.length - 1;
    if (last < 0) return;
    this.#chunks[last] = new Uint8Array(this.#chunks[last] as Uint8Array);
  }

  /** Ignores an unfinished frame. */
  end(): void {}

  next(): unknown | RequestError | ProtocolError | undefined {
    for (let part = this.#nextPart(); part !== undefined; part = this.#nextPart()) {
      if (this.#bodyBytes !== undefined) {
        this.#bodyBytes = undefined;
        return findTooManyValues(part, this.#maxMessageValues) ?? parse(part);
      }
      const length = new DataView(part.buffer, part.byteOffset, PREFIX_BYTES).getUint32(0);
      if (length > this.#maxMessageBytes) return this.#breakOff(length);
      if (length === 0) return parse(new Uint8Array(0));
      this.#bodyBytes = length;
    }
    return undefined;
  }

  /** Escapes characters beyond ASCII, so that a frame has as many bytes as characters. */
  encode(message: object): void {
    const json = escapeBeyondAscii(JSON.stringify(message));
    const { length } = json;
    const prefix = [length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff];
    this.output.add(String.fromCharCode(...prefix) + json);
  }

  /** The next prefix or body, once it is complete. */
  #nextPart(): Uint8Array | undefined {
    const length = this.#bodyBytes ?? PREFIX_BYTES;
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const piece = chunk.subarray(this.#offset, this.#offset + length - this.#partial.length);
      this.#offset += piece.length;
      if (this.#offset === chunk.length) {
        this.#chunks.shift();
        this.#offset = 0;
      }
      if (piece.length === length) return piece;
      this.#partial.add(piece);
      if (this.#partial.length === length) return this.#partial.take();
    }
    return undefined;
  }

  #breakOff(length: number): ProtocolError {
    this.#state = 'broken';
    this.#chunks.length = 0;
    return new ProtocolError(
      'limit',
      `a message of ${length} bytes is longer than maxMessageBytes, ${this.#maxMessageBytes}`,
    );
  }
}

const BEYOND_ASCII = /[\u007f-\uffff]/;
const FIRST_ESCAPED = 0x7f;
const ESCAPE_LENGTH = 6;
const HEXADECIMAL: Buffer = Buffer.from('0123456789abcdef');

/** A loop, since a function for each character takes a quarter of a second for a MiB. */
function escapeBeyondAscii(json: string): string {
  if (!BEYOND_ASCII.test(json)) return json;
  const bytes = Buffer.allocUnsafe(ESCAPE_LENGTH * json.length);
  let count = 0;
  for (let index = 0; index < json.length; index += 1) {
    const unit = json.charCodeAt(index);
    if (unit < FIRST_ESCAPED) {
      bytes[count++] = unit;
      continue;
    }
    bytes[count++] = BACKSLASH;
    bytes[count++] = LETTER_U;
    for (let shift = 12; shift >= 0; shift -= 4) bytes[count++] = HEXADECIMAL[(unit >> shift) & 0xf] as number;
  }
  return bytes.toString('latin1', 0, count);
}

/** The limit of PHP's `json_decode`. Ids are echoed, and much deeper JSON can be read but not written. */
const MAX_DEPTH = 512;

function parse(body: Uint8Array): unknown | RequestError {
  const text = decodeText(body);
  if (text.length > MAX_DEPTH && isTooDeep(text)) return new RequestError('invalid', `nested deeper than ${MAX_DEPTH}`);
  try {
    return JSON.parse(text);
  } catch (error) {
    return new RequestError('invalid', `not JSON: ${(error as Error).message}`);
  }
}

const QUOTE = 0x22;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/**
 * Counts the brackets outside strings. This is a loop because a pattern would overflow the engine's stack on a string
 * of 8 MB.
 */
function isTooDeep(json: string): boolean {
  let depth = 0;
  let isInString = false;
  for (let index = 0; index < json.length && depth <= MAX_DEPTH; index += 1) {
    const unit = json.charCodeAt(index);
    if (unit === QUOTE) isInString = !isInString;
    else if (isInString && unit === BACKSLASH) index += 1;
    else if (!isInString && OPENING.has(unit)) depth += 1;
    else if (!isInString && CLOSING.has(unit)) depth -= 1;
  }
  return depth > MAX_DEPTH;
}
