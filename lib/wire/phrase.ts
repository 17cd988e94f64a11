/** Fixed ASCII text as bytes, in words of four as far as that goes: to compare or write those takes a third of the time. */

/** A fixed text. */
export interface Phrase {
  readonly text: string;
  /** Little-endian. */
  readonly words: Int32Array;
  /** The last bytes, up to three. */
  readonly rest: Uint8Array;
  /** Bytes, all of them. */
  readonly length: number;
}

/** Prepares an ASCII text. */
export function phrase(text: string): Phrase {
  const bytes = new TextEncoder().encode(text);
  const wordCount = bytes.length >> 2;
  const view = new DataView(bytes.buffer);
  const words = Int32Array.from({ length: wordCount }, (_, index) => view.getInt32(4 * index, true));
  return { text, words, rest: bytes.subarray(4 * wordCount), length: bytes.length };
}
