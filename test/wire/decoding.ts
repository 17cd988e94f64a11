/** Ways to cut bytes for a codec, and helpers to read and write with it. */

import type { Codec } from '../../lib/wire/codec.ts';

/** All messages that can be read now. */
export function readAll(codec: Pick<Codec, 'next'>): unknown[] {
  const messages: unknown[] = [];
  for (let message = codec.next(); message !== undefined; message = codec.next()) messages.push(message);
  return messages;
}

/** Every byte by itself. */
export function singleBytes(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

/** Cut at the given places, each a fraction of the whole. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const cuts = [0, ...places.map((place) => Math.round(place * bytes.length)).sort((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((cut, index) => bytes.subarray(cuts[index], cut));
}

/** The text that a codec sends for a message. */
export function encoded(codec: Codec, message: object): string {
  codec.encode(message);
  return codec.output.take();
}
