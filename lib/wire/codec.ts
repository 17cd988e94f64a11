/** The interface of every codec: bytes go in as they come, messages come out one at a time, and the other way round. */

import { type ProtocolError, RequestError } from './errors.ts';

/** How the text of a codec becomes bytes: `latin1`: the codec has encoded the text already, one character for each byte. */
export type StreamEncoding = 'utf8' | 'latin1';

/** The text that a connection is to send. */
export interface Output {
  /** Characters. */
  readonly length: number;
  /** All of it; the output is empty afterwards. */
  take(): string;
}

/** Output as one text that grows. */
export class TextOutput implements Output {
  length = 0;
  #text = '';
  readonly #finish: ((text: string) => string) | undefined;

  /** `finish` is applied to the whole text when it is taken. */
  constructor(finish?: (text: string) => string) {
    this.#finish = finish;
  }

  add(text: string): void {
    this.#text += text;
    this.length += text.length;
  }

  take(): string {
    const text = this.#text;
    this.#text = '';
    this.length = 0;
    return this.#finish === undefined ? text : this.#finish(text);
  }
}

/** The value of a JSON text, undefined for a blank one. */
export function parse(text: string): unknown | RequestError | undefined {
  // Tens of thousands of blank lines may come together, and an error for each would take seconds.
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    return new RequestError('invalid', `not JSON: ${(error as Error).message}`);
  }
}

/** Between the bytes of one connection and its messages. */
export interface Codec {
  /** Takes the next bytes, up to `end` if it is given. They may be overwritten after `keep`. */
  push(bytes: Uint8Array, end?: number): void;
  /** Copies the bytes that were pushed last and have not been decoded. Missing in a codec that decodes all at once. */
  keep?(): void;
  /** No more bytes will come: the rest is a message too. */
  end(): void;
  /** The next message, or the error in it; undefined when more bytes are needed. Nothing follows a `ProtocolError`. */
  next(): unknown | RequestError | ProtocolError | undefined;
  /** Adds a message to the output. When it cannot be written this throws, and nothing is added. */
  encode(message: object): void;
  /** Text to be sent in `encoding`. */
  readonly output: Output;
  readonly encoding: StreamEncoding;
  /** For servers: how many bytes have come of a message that is not whole; 0 for none. Right once `next` has returned undefined. */
  readonly partialBytes?: number;
  /** Whether a frame, which is a message by itself, ends in a line break all the same. */
  readonly endsFrames?: true;
}
