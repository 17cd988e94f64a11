/** A connection whose peer may speak one of several protocols: its first byte tells which. */

import { ByteBuffer } from '../wire/byte-buffer.ts';
import type { Codec } from '../wire/codec.ts';
import type { ByteStream } from './byte-stream.ts';
import { type ConnectionEvents, type ConnectionLimits, MessageConnection } from './message-connection.ts';

/**
 * Chooses the codec by the bytes that have just come: undefined while they do not tell, `unknown` closes the connection.
 * So much white space came before them.
 */
export type CodecChoice = (bytes: Uint8Array, whiteSpaceBytes: number) => Codec | 'unknown' | undefined;

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
    else this.#detect(bytes.subarray(0, end));
  }

  #detect(bytes: Uint8Array): void {
    const choice = this.#choose(bytes, this.#undetected.length);
    if (choice === undefined) {
      this.#undetected.add(bytes);
    } else if (choice === 'unknown') {
      this.destroy();
    } else {
      this.codec = choice;
      if (this.#undetected.length === 0) {
        super.data(bytes);
      } else {
        this.#undetected.add(bytes);
        super.data(this.#undetected.take());
      }
    }
  }
}
