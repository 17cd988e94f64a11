/** Turns a byte stream of the project into a stream of Node for `StreamPeer`. */

import { Duplex } from 'node:stream';
import type { ByteStream } from '../../lib/message/byte-stream.ts';

/** Ends its own side when the other one does, like a socket. */
export class DuplexStream extends Duplex {
  readonly #stream: ByteStream;

  constructor(stream: ByteStream) {
    super({ allowHalfOpen: false, autoDestroy: false });
    this.#stream = stream;
    stream.start({
      data: (bytes, end) => this.push(Buffer.from(bytes.subarray(0, end))),
      ended: () => this.push(null),
      closed: (error) => this.destroy(error),
    });
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#stream.write(bytes.toString('latin1'), 'latin1');
    this.#stream.whenDrained(callback);
  }

  override _final(callback: () => void): void {
    this.#stream.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#stream.destroy();
    callback(error);
  }
}
