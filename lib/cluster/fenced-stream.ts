/** A connection of a leader, on which nothing is answered once the leader may have been replaced. */

import type { ByteSink, ByteStream, Completeness, StreamEncoding } from '../message/byte-stream.ts';

/** C1: looks before each batch of replies leaves whether the server still leads; if not, resets the connection instead. */
export class FencedStream implements ByteStream {
  readonly #stream: ByteStream;
  readonly #isLeading: () => boolean;

  constructor(stream: ByteStream, isLeading: () => boolean) {
    this.#stream = stream;
    this.#isLeading = isLeading;
  }

  get peer(): string {
    return this.#stream.peer;
  }

  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  get partialBytes(): number {
    return this.#stream.partialBytes ?? 0;
  }

  get isFramed(): boolean {
    return this.#stream.isFramed;
  }

  start(sink: ByteSink): void {
    this.#stream.start(sink);
  }

  write(text: string, encoding: StreamEncoding, completeness?: Completeness): void {
    if (this.#isLeading()) this.#stream.write(text, encoding, completeness);
    else this.reset();
  }

  whenDrained(callback: () => void): void {
    this.#stream.whenDrained(callback);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  setReferenced(isReferenced: boolean): void {
    this.#stream.setReferenced?.(isReferenced);
  }

  end(): void {
    if (this.#isLeading()) this.#stream.end();
    else this.reset();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  reset(): void {
    if (this.#stream.reset === undefined) this.#stream.destroy();
    else this.#stream.reset();
  }
}
