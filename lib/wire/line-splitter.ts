/** Lines out of bytes that come in pieces, as the codecs of both line protocols need them. */

import { ByteBuffer } from './byte-buffer.ts';
import { decodeAscii, decodeText } from './text.ts';

const NEWLINE = 0x0a;

/**
 * Splits at `\n`. A line of more than `maxLineBytes` is found before more than that was kept, and ends all. A line is
 * told as a part of a text, most often of the whole chunk: to decode every line by itself costs much more. Whoever
 * keeps a piece of it keeps an `ownCopy`, lest one name keep all of the chunk.
 */
export class LineSplitter {
  /** Where the line is that was given out last: its text, and from where to where, without its `\n`. */
  text = '';
  start = 0;
  end = 0;
  readonly #maxLineBytes: number;
  /** Chunks that have not been looked through; the first from `#offset` on. */
  readonly #chunks: Uint8Array[] = [];
  #offset = 0;
  /** The first chunk as text, which has a character for each byte; undefined when it is not all ASCII. */
  #ascii: string | undefined;
  /** The beginning of a line whose end has not come. */
  readonly #partial: ByteBuffer = new ByteBuffer();
  #state: 'reading' | 'ended' | 'broken' = 'reading';

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  push(bytes: Uint8Array): void {
    if (this.#state === 'reading' && bytes.length > 0) this.#chunks.push(bytes);
  }

  /** No more bytes will come: what is left over is a line too. */
  finish(): void {
    if (this.#state === 'reading') this.#state = 'ended';
  }

  /** Goes to the next line; undefined when more bytes are needed; `tooLong` once, and nothing afterwards. */
  next(): 'line' | 'tooLong' | undefined {
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      if (this.#offset === 0) this.#ascii = decodeAscii(chunk);
      const start = this.#offset;
      const end = this.#ascii === undefined ? chunk.indexOf(NEWLINE, start) : this.#ascii.indexOf('\n', start);
      const length = (end === -1 ? chunk.length : end) - start;
      if (this.#partial.length + length > this.#maxLineBytes) return this.#breakOff();
      if (end === -1 || end === chunk.length - 1) {
        this.#chunks.shift();
        this.#offset = 0;
      } else {
        this.#offset = end + 1;
      }
      if (end !== -1) return this.#giveOut(chunk, start, end);
      this.#partial.add(chunk.subarray(start));
    }
    return this.#giveOutRest();
  }

  /** The line of the chunk that was looked at, behind what came before. */
  #giveOut(chunk: Uint8Array, start: number, end: number): 'line' {
    if (this.#partial.length > 0) {
      this.#partial.add(chunk.subarray(start, end));
      return this.#giveOutText(decodeText(this.#partial.take()));
    }
    if (this.#ascii === undefined) return this.#giveOutText(decodeText(chunk.subarray(start, end)));
    this.text = this.#ascii;
    this.start = start;
    this.end = end;
    return 'line';
  }

  /** All chunks were looked through. */
  #giveOutRest(): 'line' | undefined {
    this.#ascii = undefined;
    this.text = '';
    if (this.#state !== 'ended' || this.#partial.length === 0) return undefined;
    return this.#giveOutText(decodeText(this.#partial.take()));
  }

  #giveOutText(text: string): 'line' {
    this.text = text;
    this.start = 0;
    this.end = text.length;
    return 'line';
  }

  #breakOff(): 'tooLong' {
    this.#state = 'broken';
    this.#chunks.length = 0;
    this.#ascii = undefined;
    this.text = '';
    this.#partial.take();
    return 'tooLong';
  }
}
