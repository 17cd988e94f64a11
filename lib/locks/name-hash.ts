/**
 * HalfSipHash-1-3 (Aumasson and Bernstein) of names, by a key that nobody outside knows: so no client can choose names
 * that all meet in one place of a table.
 */

const WORDS = 2 ** 32;

/** Numbers for names: the same for equal names, and like chance for others. */
export class NameHash {
  readonly #key0 = (Math.random() * WORDS) | 0;
  readonly #key1 = (Math.random() * WORDS) | 0;
  /** One operation asks for the same name several times. */
  #lastName = '';
  #lastHash = -1;

  /** A whole number from 0 to below 2^31. */
  of(name: string): number {
    if (name !== this.#lastName || this.#lastHash === -1) {
      this.#lastHash = halfSipHash(name, this.#key0, this.#key1) >>> 1;
      this.#lastName = name;
    }
    return this.#lastHash;
  }
}

function halfSipHash(name: string, key0: number, key1: number): number {
  let v0 = key0;
  let v1 = key1;
  let v2 = 0x6c796765 ^ key0;
  let v3 = 0x74656462 ^ key1;
  const { length } = name;
  // Words of two characters, then one of the last character, if it is left over, and the length; then three rounds more.
  const words = (length >> 1) + 1;
  for (let round = 0; round < words + 3; round += 1) {
    let word = 0;
    if (round < words - 1) word = name.charCodeAt(2 * round) | (name.charCodeAt(2 * round + 1) << 16);
    else if (round === words - 1) word = (length & 1 ? name.charCodeAt(length - 1) : 0) | (length << 16);
    else if (round === words) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return v1 ^ v3;
}
