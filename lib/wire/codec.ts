/** What every codec offers: bytes go in as they come, messages come out one at a time, and the other way round. */

import type { ProtocolError, RequestError } from './errors.ts';

/** How the text of a codec becomes bytes: `latin1` when it has done so itself and each character is a byte. */
export type StreamEncoding = 'utf8' | 'latin1';

/** What a connection is to send. */
export interface Output {
  /** Characters. */
  readonly length: number;
  /** All of it; the output is empty afterwards. */
  take(): string;
}

/** Output as one text that grows: for few and long messages. */
export class TextOutput implements Output {
  #text = '';

  get length(): number {
    return this.#text.length;
  }

  add(text: string): void {
    this.#text += text;
  }

  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }
}

/** Between the bytes of one connection and its messages. */
export interface Codec {
  /** Takes the next bytes, those before `end` if it is given. They may be overwritten after `keep`. */
  push(bytes: Uint8Array, end?: number): void;
  /** Copies what has not been decoded of the bytes that were pushed last. */
  keep(): void;
  /** No more bytes will come: what is left over is a message too. */
  end(): void;
  /** The next message or what is wrong with it; undefined when more bytes are needed. Nothing follows a `ProtocolError`. */
  next(): unknown | RequestError | ProtocolError | undefined;
  /**
   * Adds a message to the output; a client's codec takes one that is written already, too. When it cannot be written this
   * throws, and nothing is added.
   */
  encode(message: object | string): void;
  /** Text to be sent in `encoding`. */
  readonly output: Output;
  readonly encoding: StreamEncoding;
  /** Whether a frame, which is a message by itself, ends in a line break all the same. */
  readonly endsFrames?: true;
}
