/** Bytes of one message that come in pieces. */

const FIRST_CAPACITY = 256;
const NOTHING = new Uint8Array(0);

/** Copies the pieces together: a piece may be a small view of a much larger buffer. */
export class ByteBuffer {
  #bytes: Uint8Array | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds a piece. The room is doubled when it is too small, so that single bytes stay cheap. */
  add(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (this.#bytes === undefined || this.#bytes.length < length) {
      let capacity = this.#bytes?.length ?? FIRST_CAPACITY;
      while (capacity < length) capacity *= 2;
      const larger = new Uint8Array(capacity);
      if (this.#bytes !== undefined) larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  /** All that was added; the buffer is empty afterwards. */
  take(): Uint8Array {
    const bytes = this.#bytes?.subarray(0, this.#length) ?? NOTHING;
    this.#bytes = undefined;
    this.#length = 0;
    return bytes;
  }
}
