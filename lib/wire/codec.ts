/** What every codec offers: bytes go in as they come, messages come out one at a time. */

import type { ProtocolError, RequestError } from './errors.ts';

/** Between the bytes of one connection and its messages. */
export interface Codec {
  /** Takes the next bytes. They may be kept until they have been decoded. */
  push(bytes: Uint8Array): void;
  /** No more bytes will come: what is left over is a message too. */
  end(): void;
  /** The next message or what is wrong with it; undefined when more bytes are needed. Nothing follows a `ProtocolError`. */
  next(): unknown | RequestError | ProtocolError | undefined;
  /** The form in which a message goes out, as text to be sent in UTF-8. */
  encode(message: object): string;
}
