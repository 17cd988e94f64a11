/** Names that code easily loses, changes or sorts wrongly. */

import { naiveEncode } from '../wire/naive-text.ts';

/** A lone surrogate that stands for the byte 0x80 + `offset`. */
const escapedByte = (offset: number): string => String.fromCharCode(0xdc80 + offset);

/** All different, unsorted. */
export const ODD_NAMES: readonly string[] = [
  ...['', ' ', '  ', 'jobs ', ' jobs', 'jobs', 'JOBS', 'line\nbreak', 'carriage\rreturn', 'tab\t', '"quoted"'],
  ...['back\\slash', '\\u0000', '\u0000', 'null\u0000inside', '\u001b[31mred', '\u007f', '\u0085', '\u2028'],
  ...['\u2029', '\ufeff', '\uffff', 'é', 'e\u0301', 'ä\u00a0b', '日本語', '😀', '\ud83d', '\ud83dx'],
  ...[escapedByte(0), escapedByte(0x7f), escapedByte(0x43) + escapedByte(0x29), '\udc00', '\udfff'],
  ...['{"command":"lock"}', '__proto__', 'constructor', 'toString', 'hasOwnProperty', '0', '-0', 'null'],
  'x'.repeat(1_000),
];

/** The order of listings: by bytes; names of the same bytes by their UTF-16 units. */
export function inListOrder(names: readonly string[]): string[] {
  return [...names].sort((a, b) => Buffer.compare(naiveEncode(a), naiveEncode(b)) || (a < b ? -1 : 1));
}

/** The names `lock 0`, `lock 1` and so on. */
export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `lock ${index}`);
}
