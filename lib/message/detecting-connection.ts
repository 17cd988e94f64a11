/** A connection whose peer may speak one of several protocols: its first byte tells which. */

import { ByteBuffer } from '../wire/byte-buffer.ts';
import type { Codec } from '../wire/codec.ts';
import type { ByteStream } from './byte-stream.ts';
import { type ConnectionEvents, type ConnectionLimits, MessageConnection } from './message-connection.ts';

/** White space that a connection may send before anything that tells its protocol. */
const MAX_UNDETECTED_BYTES = 65_536;

/** Chooses the codec by the bytes that have just come, white space but for the last time: undefined while they do not tell, `unknown` closes the connection. */
export type CodecChoice = (firstBytes: Uint8Array) => Codec | 'unknown' | undefined;

/** Drops what is sent until the codec is chosen. */
export class DetectingConnection extends MessageConnection {
  readonly #choose: CodecChoice;
  /** What came before the codec was chosen. */
  readonly #undetected = new ByteBuffer();

  constructor(stream: ByteStream, choose: CodecChoice, limits: ConnectionLimits, events: ConnectionEvents) {
    super(stream, undefined, limits, events);
    this.#choose = choose;
  }

  override data(bytes: Uint8Array, end?: number): void {
    if (this.codec !== undefined || this.isClosed) super.data(bytes, end);
    else super.data(this.#detect(bytes.subarray(0, end)));
  }

  /** The bytes that the codec is to have now. */
  #detect(bytes: Uint8Array): Uint8Array {
    this.#undetected.add(bytes);
    const choice = this.#choose(bytes);
    if (choice === 'unknown' || (choice === undefined && this.#undetected.length > MAX_UNDETECTED_BYTES)) {
      this.destroy();
    } else if (choice !== undefined) {
      this.codec = choice;
      return this.#undetected.take();
    }
    return NOTHING;
  }
}

const NOTHING = new Uint8Array(0);
