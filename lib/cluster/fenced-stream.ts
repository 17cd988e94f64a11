/** A connection of a leader, on which nothing is answered once the leader may have been replaced. */

import type { ByteStream, Completeness, StreamEncoding } from '../message/byte-stream.ts';
import { WrappedStream } from '../transports/wrapped-stream.ts';

/** C1: looks before each batch of replies leaves whether the server still leads; if not, resets the connection instead. */
export class FencedStream extends WrappedStream {
  readonly #isLeading: () => boolean;

  constructor(stream: ByteStream, isLeading: () => boolean) {
    super(stream);
    this.#isLeading = isLeading;
  }

  override write(text: string, encoding: StreamEncoding, completeness?: Completeness): void {
    if (this.#isLeading()) this.stream.write(text, encoding, completeness);
    else this.reset();
  }

  override end(): void {
    if (this.#isLeading()) this.stream.end();
    else this.reset();
  }
}
