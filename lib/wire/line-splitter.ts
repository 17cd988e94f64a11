/** Lines out of bytes that come in pieces, as the codecs of both line protocols need them. */

import { ByteBuffer } from './byte-buffer.ts';

const NEWLINE = 0x0a;
const NOTHING = new Uint8Array(0);

/**
 * Splits at `\n`. A line of more than `maxLineBytes` is found before more than that was kept, and ends all. A line is
 * told as a part of the bytes that it came with: to make a view of each would cost more than to read it.
 */
export class LineSplitter {
  /** Where the line is that was given out last: from `start` to before `end`, without its `\n`. */
  bytes: Uint8Array = NOTHING;
  start = 0;
  end = 0;
  readonly #maxLineBytes: number;
  /** What has not been looked through: from `#offset` on. */
  #chunk: Uint8Array = NOTHING;
  #offset = 0;
  /** Where what came ends, which may be before the bytes do. */
  #chunkEnd = 0;
  /** What came behind that. */
  #later: ByteBuffer | undefined;
  /** The beginning of a line whose end has not come. */
  #partial: ByteBuffer | undefined;
  #state: 'reading' | 'ended' | 'broken' = 'reading';

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** Takes the next bytes: those before `bytesEnd`. */
  push(bytes: Uint8Array, bytesEnd: number = bytes.length): void {
    if (this.#state !== 'reading') return;
    if (this.#offset >= this.#chunkEnd && this.#later === undefined) {
      this.#goTo(bytes, bytesEnd);
    } else {
      this.#later ??= new ByteBuffer();
      this.#later.add(bytes.subarray(0, bytesEnd));
    }
  }

  /** Makes what is left of the bytes its own: those that were pushed will be overwritten. */
  keep(): void {
    if (this.#offset >= this.#chunkEnd) this.#goTo(NOTHING, 0);
    else this.#goTo(new Uint8Array(this.#chunk.subarray(this.#offset, this.#chunkEnd)), this.#chunkEnd - this.#offset);
  }

  /** No more bytes will come: what is left over is a line too. */
  finish(): void {
    if (this.#state === 'reading') this.#state = 'ended';
  }

  /** Goes to the next line; undefined when more bytes are needed; `tooLong` once, and nothing afterwards. */
  next(): 'line' | 'tooLong' | undefined {
    if (this.#offset >= this.#chunkEnd && this.#later !== undefined) this.#takeLater(this.#later);
    while (this.#offset < this.#chunkEnd) {
      const chunk = this.#chunk;
      const start = this.#offset;
      const found = chunk.indexOf(NEWLINE, start);
      const isWhole = found !== -1 && found < this.#chunkEnd;
      const end = isWhole ? found : this.#chunkEnd;
      if ((this.#partial?.length ?? 0) + end - start > this.#maxLineBytes) return this.#breakOff();
      this.#offset = end + 1;
      if (isWhole) return this.#giveOut(chunk, start, end);
      this.#addToPartial(chunk, start, end);
      if (this.#later !== undefined) this.#takeLater(this.#later);
    }
    this.bytes = NOTHING;
    return this.#state === 'ended' ? this.#giveOutPartial() : undefined;
  }

  /**
   * Tells, as a line, all that has not been given out of what came last and may belong to the next line, its `\n`
   * included; false when that line began earlier, or nothing is left. Whoever finds the line's end skips to behind it.
   */
  peek(): boolean {
    if (this.#offset >= this.#chunkEnd || this.#partial !== undefined) return false;
    this.bytes = this.#chunk;
    this.start = this.#offset;
    this.end = Math.min(this.#chunkEnd, this.#offset + this.#maxLineBytes + 1);
    return true;
  }

  /** Goes on there, in the bytes that `peek` told. */
  skipTo(offset: number): void {
    this.#offset = offset;
  }

  #takeLater(later: ByteBuffer): void {
    const bytes = later.take();
    this.#later = undefined;
    this.#goTo(bytes, bytes.length);
  }

  #goTo(chunk: Uint8Array, chunkEnd: number): void {
    this.#chunk = chunk;
    this.#offset = 0;
    this.#chunkEnd = chunkEnd;
  }

  /** The line of the chunk that was looked at, behind what came before. */
  #giveOut(chunk: Uint8Array, start: number, end: number): 'line' | undefined {
    if (this.#partial !== undefined) {
      this.#addToPartial(chunk, start, end);
      return this.#giveOutPartial();
    }
    this.bytes = chunk;
    this.start = start;
    this.end = end;
    return 'line';
  }

  #addToPartial(chunk: Uint8Array, start: number, end: number): void {
    this.#partial ??= new ByteBuffer();
    this.#partial.add(chunk.subarray(start, end));
  }

  #giveOutPartial(): 'line' | undefined {
    if (this.#partial === undefined) return undefined;
    this.bytes = this.#partial.take();
    this.#partial = undefined;
    this.start = 0;
    this.end = this.bytes.length;
    return 'line';
  }

  #breakOff(): 'tooLong' {
    this.#state = 'broken';
    this.#goTo(NOTHING, 0);
    this.#later = undefined;
    this.bytes = NOTHING;
    this.#partial = undefined;
    return 'tooLong';
  }
}
