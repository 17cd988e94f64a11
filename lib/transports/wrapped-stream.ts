/** A stream that passes everything on to another: the base of those that change a part of it. */

import type { ByteSink, ByteStream, Completeness, StreamEncoding } from '../message/byte-stream.ts';

export class WrappedStream implements ByteStream {
  protected readonly stream: ByteStream;

  constructor(stream: ByteStream) {
    this.stream = stream;
  }

  get peer(): string {
    return this.stream.peer;
  }

  get isFramed(): boolean {
    return this.stream.isFramed;
  }

  get unsentBytes(): number {
    return this.stream.unsentBytes;
  }

  get partialBytes(): number {
    return this.stream.partialBytes ?? 0;
  }

  start(sink: ByteSink): void {
    this.stream.start(sink);
  }

  write(text: string, encoding: StreamEncoding, completeness?: Completeness): void {
    this.stream.write(text, encoding, completeness);
  }

  whenDrained(callback: () => void): void {
    this.stream.whenDrained(callback);
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  setReferenced(isReferenced: boolean): void {
    this.stream.setReferenced?.(isReferenced);
  }

  end(): void {
    this.stream.end();
  }

  destroy(): void {
    this.stream.destroy();
  }

  /** Destroys a stream that cannot reset. */
  reset(): void {
    if (this.stream.reset === undefined) this.stream.destroy();
    else this.stream.reset();
  }
}
