/** Lines out of bytes that come in pieces, as the codecs of both line protocols need them. */

import { ByteBuffer } from './byte-buffer.ts';
import { AsciiReader } from './fast/ascii-reader.ts';

const NEWLINE = 0x0a;
const NOTHING = new Uint8Array(0);

/** All splitters share one reader, because each line is read in one go. */
const reader = new AsciiReader();

/** Splits at `\n`. A line of more than `maxLineBytes` is found before more than that was kept, and ends all. */
export class LineSplitter {
  readonly #maxLineBytes: number;
  /** The bytes from `#offset` to before `#end` have not been looked through. */
  #chunk: Uint8Array = NOTHING;
  #offset = 0;
  #end = 0;
  /** The bytes that came behind that. */
  #later: ByteBuffer | undefined;
  /** The beginning of a line whose end has not come. */
  #partial: ByteBuffer | undefined;
  #state: 'reading' | 'ended' | 'broken' = 'reading';

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** How many bytes have come of a line that is not whole, once all whole lines were read. */
  get partialBytes(): number {
    return this.#partial?.length ?? 0;
  }

  /** Takes the next bytes, those before `end`. They may be overwritten after `keep`. */
  push(bytes: Uint8Array, end: number = bytes.length): void {
    if (this.#state !== 'reading' || end === 0) return;
    if (this.#offset < this.#end || this.#later !== undefined) {
      this.#later ??= new ByteBuffer();
      this.#later.add(bytes.subarray(0, end));
    } else {
      this.#chunk = bytes;
      this.#offset = 0;
      this.#end = end;
    }
  }

  /** Copies the bytes that are left of those that were pushed last. */
  keep(): void {
    const isLeft = this.#offset < this.#end;
    this.#chunk = isLeft ? new Uint8Array(this.#chunk.subarray(this.#offset, this.#end)) : NOTHING;
    this.#offset = 0;
    this.#end = this.#chunk.length;
  }

  /** No more bytes will come: what is left over is a line too. */
  end(): void {
    if (this.#state === 'reading') this.#state = 'ended';
  }

  /**
   * Lets `read` read the next line where it lies, if all of it came at once. That finds the end of the line on the way,
   * and makes no view of its bytes, which would cost more than to read them.
   */
  readNext<Line>(read: (reader: AsciiReader) => Line | undefined): Line | undefined {
    if (this.#offset >= this.#end || this.#partial !== undefined) return undefined;
    reader.begin(this.#chunk, this.#offset, Math.min(this.#end, this.#offset + this.#maxLineBytes + 1));
    const line = read(reader);
    if (line !== undefined) this.#offset = reader.at;
    return line;
  }

  /** The next line without its `\n`; undefined when more bytes are needed; `tooLong` once, and nothing afterwards. */
  nextLine(): Uint8Array | 'tooLong' | undefined {
    while (this.#offset < this.#end || this.#later !== undefined) {
      if (this.#offset >= this.#end) this.#takeLater();
      const rest = this.#chunk.subarray(this.#offset, this.#end);
      const found = rest.indexOf(NEWLINE);
      const piece = found === -1 ? rest : rest.subarray(0, found);
      if ((this.#partial?.length ?? 0) + piece.length > this.#maxLineBytes) return this.#breakOff();
      this.#offset += piece.length + 1;
      if (found !== -1) return this.#partial === undefined ? piece : this.#endPartial(piece);
      this.#addToPartial(piece);
    }
    return this.#state === 'ended' ? this.#endPartial(NOTHING) : undefined;
  }

  #takeLater(): void {
    this.#chunk = this.#later?.take() ?? NOTHING;
    this.#offset = 0;
    this.#end = this.#chunk.length;
    this.#later = undefined;
  }

  #addToPartial(piece: Uint8Array): void {
    this.#partial ??= new ByteBuffer();
    this.#partial.add(piece);
  }

  #endPartial(piece: Uint8Array): Uint8Array | undefined {
    const partial = this.#partial;
    this.#partial = undefined;
    partial?.add(piece);
    return partial?.take();
  }

  #breakOff(): 'tooLong' {
    this.#state = 'broken';
    this.#chunk = NOTHING;
    this.#end = 0;
    this.#later = undefined;
    this.#partial = undefined;
    return 'tooLong';
  }
}
