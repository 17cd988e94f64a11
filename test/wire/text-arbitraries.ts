/** Random text and bytes that look for trouble: lone surrogates, escaped bytes, broken and overlong sequences. */

import fc from 'fast-check';

const unit = fc.oneof(
  fc.integer({ min: 0x00, max: 0x7f }),
  fc.integer({ min: 0x80, max: 0x7ff }),
  fc.integer({ min: 0x800, max: 0xffff }),
  fc.integer({ min: 0xd800, max: 0xdbff }),
  fc.integer({ min: 0xdc00, max: 0xdfff }),
  fc.integer({ min: 0xdc7e, max: 0xdd01 }),
  fc.constantFrom(0, 0x0a, 0x0d, 0x22, 0x5c, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfeff, 0xffff),
);

/** Any string of UTF-16 units. */
export const anyText: fc.Arbitrary<string> = fc
  .array(unit, { maxLength: 12 })
  .map((units) => String.fromCharCode(...units));

/** A string without lone surrogates. */
export const validText: fc.Arbitrary<string> = anyText.map((text) => Buffer.from(text).toString());

const edge = fc.constantFrom(
  ...[0x00, 0x0a, 0x22, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee],
  ...[0xef, 0xbb, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff],
);

/** Any bytes, with many that begin or continue a sequence of UTF-8. */
export const anyBytes: fc.Arbitrary<Uint8Array> = fc
  .array(fc.oneof(edge, edge, fc.integer({ min: 0, max: 255 })), { maxLength: 24 })
  .map((bytes) => Uint8Array.from(bytes));
