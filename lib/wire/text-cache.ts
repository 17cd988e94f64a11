/**
 * Short texts that come again and again, such as the names of locks: each is made once and then found by its bytes. To
 * make a text costs more than to read the rest of a message.
 */

import { decodeText } from './text.ts';
import { hashBytes, noteHash } from './text-hash.ts';

/**
 * A power of two: so many texts are remembered at most, each in one of two slots, where its bytes put it. With one for
 * each, a twentieth of 800 texts shared theirs with another and was made anew each time.
 */
const SLOTS = 16_384;
/** A line of the processor's cache has what tells whether a text is the one: its length, its hash and its bytes. */
const SLOT_BYTES = 64;
const HASH_OFFSET = 4;
const BYTES_OFFSET = 8;
const MAX_BYTES = SLOT_BYTES - BYTES_OFFSET;

/** What `placeOn` begins with. */
export const FIRST_PLACE = 17;

const texts: string[] = new Array<string>(SLOTS).fill('');
const slots = new DataView(new ArrayBuffer(SLOTS * SLOT_BYTES));

/** Which of two slots was used for a new text last. */
let forgotten = 0;

/** Where the cache looks for a text, with one byte or word more: anybody may know how, it only decides what is remembered. */
export function placeOn(place: number, word: number): number {
  const mixed = Math.imul(place ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/** The text of some bytes, all of them ASCII, of that place. It is never a part of another text. */
export function cachedText(bytes: Uint8Array, words: DataView, start: number, end: number, place: number): string {
  const length = end - start;
  if (length > MAX_BYTES) return decodeText(bytes.subarray(start, end));
  if (length === 0) return '';
  let index = place & (SLOTS - 1);
  if (!hasText(index, bytes, words, start, end)) {
    index ^= 1;
    if (!hasText(index, bytes, words, start, end)) index = remember(bytes, start, end, index);
  }
  const text = texts[index] as string;
  noteHash(text, slots.getInt32(index * SLOT_BYTES + HASH_OFFSET, true));
  return text;
}

/** Puts the text into one of the two slots where it may be, and tells which. */
function remember(bytes: Uint8Array, start: number, end: number, either: number): number {
  forgotten ^= 1;
  const index = either ^ forgotten;
  const slot = index * SLOT_BYTES;
  texts[index] = decodeText(bytes.subarray(start, end));
  slots.setInt32(slot, end - start, true);
  slots.setInt32(slot + HASH_OFFSET, hashBytes(bytes, start, end), true);
  const shift = slot + BYTES_OFFSET - start;
  for (let at = start; at < end; at += 1) slots.setUint8(at + shift, bytes[at] as number);
  return index;
}

function hasText(index: number, bytes: Uint8Array, words: DataView, start: number, end: number): boolean {
  const slot = index * SLOT_BYTES;
  if (slots.getInt32(slot, true) !== end - start) return false;
  let to = slot + BYTES_OFFSET;
  let at = start;
  for (const lastWord = end - 4; at <= lastWord; at += 4) {
    if (slots.getInt32(to, true) !== words.getInt32(at, true)) return false;
    to += 4;
  }
  for (; at < end; at += 1) {
    if (slots.getUint8(to) !== bytes[at]) return false;
    to += 1;
  }
  return true;
}
