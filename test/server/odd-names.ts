/** Names that are easily lost, changed or put in the wrong order on their way. */

/** A lone surrogate that stands for the byte 0x80 + `offset`. */
const escapedByte = (offset: number): string => String.fromCharCode(0xdc80 + offset);

/** All different, in no order. */
export const ODD_NAMES: readonly string[] = [
  '',
  ' ',
  '  ',
  'jobs ',
  ' jobs',
  'jobs',
  'JOBS',
  'line\nbreak',
  'carriage\rreturn',
  'tab\t',
  '"quoted"',
  'back\\slash',
  '\\u0000',
  '\u0000',
  'null\u0000inside',
  '\u001b[31mred',
  '\u007f',
  '\u0085',
  '\u2028',
  '\u2029',
  '\ufeff',
  '\uffff',
  'é',
  'e\u0301',
  'ä\u00a0b',
  '日本語',
  '😀',
  '\ud83d',
  '\ud83dx',
  `${escapedByte(0)}`,
  `${escapedByte(0x7f)}`,
  `${escapedByte(0x43)}${escapedByte(0x29)}`,
  '\udc00',
  '\udfff',
  '{"command":"lock"}',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '0',
  '-0',
  'null',
  'x'.repeat(1_000),
];

/** The bytes that a name stands for, worked out from what UTF-8 is. */
export function bytesOf(name: string): Buffer {
  const parts = [...name].map((character) => {
    const code = character.codePointAt(0) as number;
    if (code >= 0xdc80 && code <= 0xdcff) return Buffer.from([code - 0xdc00]);
    if (code < 0xd800 || code > 0xdfff) return Buffer.from(character);
    return Buffer.from([0xed, 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]);
  });
  return Buffer.concat(parts);
}

/** The order of listings: by bytes; names of the same bytes by their UTF-16 units. */
export function inListOrder(names: readonly string[]): string[] {
  return [...names].sort((a, b) => Buffer.compare(bytesOf(a), bytesOf(b)) || (a < b ? -1 : 1));
}
