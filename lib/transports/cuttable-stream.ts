/** A client's connection that a test can cut, as a network failure would. */

import type { ByteSink, ByteStream } from '../message/byte-stream.ts';
import { WrappedStream } from './wrapped-stream.ts';

/** Passes everything on until the test cuts it. */
export class CuttableStream extends WrappedStream {
  /** The server's name for the connection. */
  readonly localAddress: string;
  #failure: Error | undefined;

  constructor(stream: ByteStream, localAddress: string) {
    super(stream);
    this.localAddress = localAddress;
  }

  /** Closes both directions at once. The client gets an error with the code `ECONNRESET`. */
  cut(): void {
    this.#failure = Object.assign(new Error('ECONNRESET: the test cut the connection'), { code: 'ECONNRESET' });
    this.stream.destroy();
  }

  override start(sink: ByteSink): void {
    this.stream.start({
      data: (bytes, end) => sink.data(bytes, end),
      ended: () => sink.ended(),
      closed: (error) => sink.closed(this.#failure ?? error),
    });
  }
}
