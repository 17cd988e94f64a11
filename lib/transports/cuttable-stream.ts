/** A client's connection that a test can cut, as a network failure would. */

import type { ByteSink, ByteStream, StreamEncoding } from '../message/byte-stream.ts';

/** Passes everything on until the test cuts it. */
export class CuttableStream implements ByteStream {
  readonly #stream: ByteStream;
  /** The server's name for the connection. */
  readonly localAddress: string;
  #failure: Error | undefined;

  constructor(stream: ByteStream, localAddress: string) {
    this.#stream = stream;
    this.localAddress = localAddress;
  }

  get peer(): string {
    return this.#stream.peer;
  }

  get isFramed(): boolean {
    return this.#stream.isFramed;
  }

  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  /** Closes both directions at once. The client gets an error with the code `ECONNRESET`. */
  cut(): void {
    this.#failure = Object.assign(new Error('ECONNRESET: the test cut the connection'), { code: 'ECONNRESET' });
    this.#stream.destroy();
  }

  start(sink: ByteSink): void {
    this.#stream.start({
      data: (bytes, end) => sink.data(bytes, end),
      ended: () => sink.ended(),
      closed: (error) => sink.closed(this.#failure ?? error),
    });
  }

  write(text: string, encoding: StreamEncoding): void {
    this.#stream.write(text, encoding);
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
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
  }
}
