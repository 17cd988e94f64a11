/** How a client reads and writes newline-delimited JSON. */

import { type Codec, parse, type StreamEncoding, TextOutput } from './codec.ts';
import { ProtocolError, type RequestError } from './errors.ts';

const NEWLINE = 0x0a;
const MAX_PIECES = 1_024;

/**
 * Reads all lines that come together as one text: answers are short, and come many at a time. What is wrong with a line is
 * told as the server's codecs do. Takes messages to send as values, or as the JSON that somebody else has written.
 */
export class ClientCodec implements Codec {
  readonly encoding: StreamEncoding = 'utf8';
  readonly output: TextOutput = new TextOutput();
  readonly #maxMessageBytes: number;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  /** What has come, given out up to `#offset`. Nothing is kept of it when all of it was given out. */
  #text = '';
  #offset = 0;
  /** What has come behind it of a line whose end has not come. Joined many at a time: a text costs more than a character. */
  readonly #pieces: string[] = [];
  /** How many lines are whole. A text that grows is looked through only then: each look would join its parts. */
  #wholeLines = 0;
  /** Bytes of the line whose end has not come. */
  #lineBytes = 0;
  /** `tooLong`: behind the lines that are there comes one that is; `broken`: that was told. */
  #state: 'reading' | 'tooLong' | 'broken' = 'reading';

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  push(bytes: Uint8Array, end: number = bytes.length): void {
    let start = 0;
    while (this.#state === 'reading' && start < end) {
      const found = bytes.indexOf(NEWLINE, start);
      const isWhole = found >= 0 && found < end;
      const lineEnd = isWhole ? found : end;
      this.#lineBytes += lineEnd - start;
      if (this.#lineBytes > this.#maxMessageBytes) {
        this.#state = 'tooLong';
        break;
      }
      start = lineEnd;
      if (isWhole) {
        start += 1;
        this.#wholeLines += 1;
        this.#lineBytes = 0;
      }
    }
    // Most often what comes are whole lines. A decoder that is never told of more to come is several times as fast.
    this.#pieces.push(this.#decoder.decode(bytes.subarray(0, start), { stream: this.#lineBytes > 0 }));
    if (this.#wholeLines === 0 && this.#pieces.length < MAX_PIECES) return;
    this.#text += this.#pieces.splice(0).join('');
  }

  end(): void {
    this.push(Uint8Array.of(NEWLINE));
  }

  next(): unknown | RequestError | ProtocolError | undefined {
    while (this.#wholeLines > 0) {
      this.#wholeLines -= 1;
      const newline = this.#text.indexOf('\n', this.#offset);
      const value = parse(this.#text.slice(this.#offset, newline));
      this.#offset = newline + 1;
      if (value !== undefined) return value;
    }
    this.#text = this.#text.slice(this.#offset);
    this.#offset = 0;
    if (this.#state !== 'tooLong') return undefined;
    this.#state = 'broken';
    return new ProtocolError('limit', `a message is longer than maxMessageBytes, ${this.#maxMessageBytes}`);
  }

  encode(message: object): void {
    this.output.text += `${JSON.stringify(message)}\n`;
  }
}
