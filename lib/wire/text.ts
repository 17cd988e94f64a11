/**
 * Names between bytes and strings, without loss: valid UTF-8 is decoded as usual, every other byte b becomes the lone
 * surrogate U+DC00+b, and on the way out that surrogate is the byte again.
 */

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes bytes that need not be valid UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return decodeWithEscapes(bytes);
  }
}

function decodeWithEscapes(bytes: Uint8Array): string {
  const parts: string[] = [];
  let validFrom = 0;
  for (let index = 0; index < bytes.length; ) {
    const length = sequenceLength(bytes, index);
    if (length === 0) {
      if (index > validFrom) parts.push(strictDecoder.decode(bytes.subarray(validFrom, index)));
      parts.push(String.fromCharCode(0xdc00 + (bytes[index] as number)));
      index += 1;
      validFrom = index;
    } else {
      index += length;
    }
  }
  if (bytes.length > validFrom) parts.push(strictDecoder.decode(bytes.subarray(validFrom)));
  return parts.join('');
}

/** Length of the well-formed sequence that starts here, 0 when there is none (Unicode standard, table 3-7). */
function sequenceLength(bytes: Uint8Array, index: number): number {
  const lead = bytes[index] as number;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const second = bytes[index + 1] ?? 0;
  if (second < lowestSecond(lead) || second > highestSecond(lead)) return 0;
  for (let further = 2; further < length; further += 1) {
    if (((bytes[index + further] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

/** Excludes overlong forms. */
function lowestSecond(lead: number): number {
  if (lead === 0xe0) return 0xa0;
  return lead === 0xf0 ? 0x90 : 0x80;
}

/** Excludes encoded surrogates and what is above U+10FFFF. */
function highestSecond(lead: number): number {
  if (lead === 0xed) return 0x9f;
  return lead === 0xf4 ? 0x8f : 0xbf;
}

/** How many bytes the text has in its encoded form; limits count these. */
export function encodedLength(text: string): number {
  let length = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) length += 1;
    else if (unit < 0x800) length += 2;
    else if (isPairAt(text, index)) {
      length += 4;
      index += 1;
    } else length += isEscapedByte(unit) ? 1 : 3;
  }
  return length;
}

/** The order of the encoded forms, byte by byte; names with equal forms are ordered by their UTF-16 units. */
export function compareEncoded(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let index = 0; index < shorter; index += 1) {
    const unitA = a.charCodeAt(index);
    const unitB = b.charCodeAt(index);
    if (unitA === unitB) continue;
    if (!isSurrogate(unitA) && !isSurrogate(unitB)) return unitA - unitB;
    return compareBytes(a, b);
  }
  if (a.length === b.length) return 0;
  // A name that goes on where the other ends may turn a lone surrogate at the end of the common part into a pair.
  return shorter > 0 && isSurrogate(a.charCodeAt(shorter - 1)) ? compareBytes(a, b) : a.length - b.length;
}

function compareBytes(a: string, b: string): number {
  const bytesA = [...encodedBytes(a)];
  const bytesB = [...encodedBytes(b)];
  const shorter = Math.min(bytesA.length, bytesB.length);
  for (let index = 0; index < shorter; index += 1) {
    const difference = (bytesA[index] as number) - (bytesB[index] as number);
    if (difference !== 0) return difference;
  }
  return bytesA.length - bytesB.length || (a < b ? -1 : 1);
}

function* encodedBytes(text: string): Generator<number, void, undefined> {
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (code < 0x80) yield code;
    else if (isEscapedByte(code)) yield code - 0xdc00;
    else if (code < 0x800) yield* [0xc0 | (code >> 6), continuation(code, 0)];
    else if (code < 0x10000) yield* [0xe0 | (code >> 12), continuation(code, 6), continuation(code, 0)];
    else yield* [0xf0 | (code >> 18), continuation(code, 12), continuation(code, 6), continuation(code, 0)];
  }
}

function continuation(code: number, shift: number): number {
  return 0x80 | ((code >> shift) & 0x3f);
}

function isPairAt(text: string, index: number): boolean {
  return (text.charCodeAt(index) & 0xfc00) === 0xd800 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00;
}

function isSurrogate(unit: number): boolean {
  return (unit & 0xf800) === 0xd800;
}

function isEscapedByte(code: number): boolean {
  return code >= 0xdc80 && code <= 0xdcff;
}
