/** The text coding in its plainest form, to compare with. */

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads one to four bytes as a character if they are one, and escapes the first byte otherwise. */
export function naiveDecode(bytes: Uint8Array): string {
  let text = '';
  for (let index = 0; index < bytes.length; ) {
    const [character, length] = characterAt(bytes, index) ?? [String.fromCharCode(0xdc00 + (bytes[index] ?? 0)), 1];
    text += character;
    index += length;
  }
  return text;
}

function characterAt(bytes: Uint8Array, index: number): [string, number] | undefined {
  for (let length = 1; length <= 4 && index + length <= bytes.length; length += 1) {
    try {
      return [decoder.decode(bytes.subarray(index, index + length)), length];
    } catch {
      // More bytes may be a character.
    }
  }
  return undefined;
}

/** Valid text as UTF-8, an escaped byte as that byte, any other lone surrogate as three bytes. */
export function naiveEncode(text: string): Buffer {
  const parts = Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0xd800 || code > 0xdfff) return Buffer.from(character);
    if (code >= 0xdc80 && code <= 0xdcff) return Buffer.of(code - 0xdc00);
    return Buffer.of(0b1110_1101, 0b1000_0000 | ((code >> 6) & 0b11_1111), 0b1000_0000 | (code & 0b11_1111));
  });
  return Buffer.concat(parts);
}
