/** A connection whose peer may speak one of several protocols: its first bytes tell which. */

import { ByteBuffer } from '../wire/byte-buffer.ts';
import type { Codec } from '../wire/codec.ts';
import type { FindCodec } from './message-connection.ts';

/** Chooses the codec by the bytes that have just come, undefined while they do not tell. So much white space came before them. */
export type ChooseCodec = (bytes: Uint8Array, whiteSpaceBytes: number) => Codec | undefined;

/** Finds the codec of one connection: keeps its bytes until the choice is made. */
export function findCodecBy(choose: ChooseCodec): FindCodec {
  const undecided = new ByteBuffer();
  return (bytes) => {
    const codec = choose(bytes, undecided.length);
    if (codec !== undefined && undecided.length === 0) {
      codec.push(bytes);
    } else {
      undecided.add(bytes);
      codec?.push(undecided.take());
    }
    return codec;
  };
}
