/** How a client reads and writes newline-delimited JSON. */

import { type Codec, parse, type StreamEncoding, TextOutput } from './codec.ts';
import { ProtocolError, type RequestError } from './errors.ts';

const NEWLINE = 0x0a;
const MAX_PIECES = 1_024;

/** Decodes all lines that come together as one text, because answers are short and come many at a time. */
export class ClientCodec implements Codec {
  readonly encoding: StreamEncoding = 'utf8';
  readonly output: TextOutput = new TextOutput();
  readonly #maxMessageBytes: number;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  /** The text that was decoded, and from where on it has not been given out. Emptied when all of it was. */
  #text = '';
  #offset = 0;
  /**
   * Further text without a line end. Many pieces are joined at a time, because each string costs memory of its own, however
   * short.
   */
  readonly #pieces: string[] = [];
  /** How many lines are whole. Only then is the text searched, because each search of a growing text joins its parts. */
  #wholeLines = 0;
  /** Bytes of the line that has not ended yet. */
  #lineBytes = 0;
  /** `tooLong`: the line after the whole ones is too long; `broken`: that was reported. */
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
    // Most pieces end with a line. Without `stream` the decoder is several times as fast.
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
    this.output.add(`${JSON.stringify(message)}\n`);
  }
}
