/** What every codec offers: bytes go in as they come, messages come out one at a time. */

import type { ProtocolError, RequestError } from './errors.ts';

/** How the text of a codec becomes bytes: `latin1` when it has done so itself and each character is a byte. */
export type StreamEncoding = 'utf8' | 'latin1';

/** Between the bytes of one connection and its messages. */
export interface Codec {
  /** Takes the next bytes. They may be kept until they have been decoded. */
  push(bytes: Uint8Array): void;
  /** No more bytes will come: what is left over is a message too. */
  end(): void;
  /** The next message or what is wrong with it; undefined when more bytes are needed. Nothing follows a `ProtocolError`. */
  next(): unknown | RequestError | ProtocolError | undefined;
  /** The form in which a message goes out, as text to be sent in `encoding`. */
  encode(message: object): string;
  readonly encoding: StreamEncoding;
}
