/** What a codec sends for a message. */

import type { Codec } from '../../lib/wire/codec.ts';

export function encoded(codec: Codec, message: object): string {
  codec.encode(message);
  return codec.output.take();
}
