/**
 * Fixed ASCII text as bytes, compared and written eight at a time: as floating-point numbers, since that is the widest
 * kind that the engine handles without an object. ASCII is never NaN, so equal numbers are equal bytes.
 */

import { TextEncoder } from 'node:util';

const EIGHT = 8;
const FOUR = 4;

/** A fixed text. */
export interface Phrase {
  readonly text: string;
  /** Little-endian; the last one filled up with zeros. */
  readonly eights: Float64Array;
  /** The last eight bytes, and the first four and the last four. */
  readonly lastEight: number;
  readonly firstFour: number;
  readonly lastFour: number;
  /** Bytes. */
  readonly length: number;
}

/** Prepares an ASCII text. */
export function phrase(text: string): Phrase {
  const bytes = new TextEncoder().encode(text);
  const { length } = bytes;
  const padded = new Uint8Array(2 * EIGHT + Math.ceil(length / EIGHT) * EIGHT);
  padded.set(bytes, EIGHT);
  const view = new DataView(padded.buffer);
  const eights = new Float64Array(padded.length / EIGHT - 2);
  for (const index of eights.keys()) eights[index] = view.getFloat64(EIGHT + index * EIGHT, true);
  return {
    text,
    eights,
    lastEight: view.getFloat64(length, true),
    firstFour: view.getInt32(EIGHT, true),
    lastFour: view.getInt32(EIGHT + length - FOUR, true),
    length,
  };
}

/** Whether a phrase of four bytes or more stands in a place. */
export function hasPhrase(expected: Phrase, view: DataView, at: number, end: number): boolean {
  const { eights, length } = expected;
  if (at + length > end) return false;
  if (length < EIGHT) {
    return (
      view.getInt32(at, true) === expected.firstFour && view.getInt32(at + length - FOUR, true) === expected.lastFour
    );
  }
  for (let index = 0; index < eights.length - 1; index += 1) {
    if (view.getFloat64(at + EIGHT * index, true) !== eights[index]) return false;
  }
  return view.getFloat64(at + length - EIGHT, true) === expected.lastEight;
}

/** Writes a phrase. Up to seven bytes behind it are overwritten, too. */
export function putPhrase({ eights }: Phrase, view: DataView, at: number): void {
  for (let index = 0; index < eights.length; index += 1) {
    view.setFloat64(at + EIGHT * index, eights[index] as number, true);
  }
}
