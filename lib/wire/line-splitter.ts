/** Lines out of bytes that come in pieces, as the codecs of both line protocols need them. */

import { ByteBuffer } from './byte-buffer.ts';

const NEWLINE = 0x0a;

/** Splits at `\n`. A line of more than `maxLineBytes` is found before more than that was kept, and ends all. */
export class LineSplitter {
  readonly #maxLineBytes: number;
  /** Chunks that have not been looked through; the first from `#offset` on. */
  readonly #chunks: Uint8Array[] = [];
  #offset = 0;
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
  end(): void {
    if (this.#state === 'reading') this.#state = 'ended';
  }

  /** The next line without its `\n`; undefined when more bytes are needed; `tooLong` once, and nothing afterwards. */
  next(): Uint8Array | 'tooLong' | undefined {
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const end = chunk.indexOf(NEWLINE, this.#offset);
      const piece = chunk.subarray(this.#offset, end === -1 ? chunk.length : end);
      if (this.#partial.length + piece.length > this.#maxLineBytes) return this.#breakOff();
      if (end === -1 || end === chunk.length - 1) {
        this.#chunks.shift();
        this.#offset = 0;
      } else {
        this.#offset = end + 1;
      }
      if (end !== -1) return this.#complete(piece);
      this.#partial.add(piece);
    }
    if (this.#state === 'ended' && this.#partial.length > 0) return this.#partial.take();
    return undefined;
  }

  #complete(piece: Uint8Array): Uint8Array {
    if (this.#partial.length === 0) return piece;
    this.#partial.add(piece);
    return this.#partial.take();
  }

  #breakOff(): 'tooLong' {
    this.#state = 'broken';
    this.#chunks.length = 0;
    this.#partial.take();
    return 'tooLong';
  }
}
