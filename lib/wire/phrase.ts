/** Fixed ASCII text as bytes, in words of four: to compare or write those takes a third of the time. */

const WORD_BYTES = 4;
const WORD_BITS = 32;

/** A fixed text. */
export interface Phrase {
  readonly text: string;
  /** Little-endian; the last one filled up with zeros. */
  readonly words: Int32Array;
  /** The bits of the last word that belong to the text. */
  readonly lastMask: number;
  /** Bytes. */
  readonly length: number;
}

/** Prepares an ASCII text of one character or more. */
export function phrase(text: string): Phrase {
  const bytes = new TextEncoder().encode(text);
  const { length } = bytes;
  const view = new DataView(new ArrayBuffer(Math.ceil(length / WORD_BYTES) * WORD_BYTES));
  for (const [index, byte] of bytes.entries()) view.setUint8(index, byte);
  const words = new Int32Array(view.byteLength / WORD_BYTES);
  for (const index of words.keys()) words[index] = view.getInt32(index * WORD_BYTES, true);
  return { text, words, lastMask: -1 >>> (WORD_BITS - 8 * (length - WORD_BYTES * (words.length - 1))) | 0, length };
}

/** Whether a phrase stands in a place; it may be missed when fewer than four bytes follow it. */
export function hasPhrase({ words, lastMask }: Phrase, view: DataView, at: number, end: number): boolean {
  const last = words.length - 1;
  if (at + WORD_BYTES * (last + 1) > end) return false;
  for (let index = 0; index < last; index += 1) {
    if (view.getInt32(at + WORD_BYTES * index, true) !== words[index]) return false;
  }
  return (view.getInt32(at + WORD_BYTES * last, true) & lastMask) === words[last];
}
