/** The protocols of a server: how a connection of each begins, and how it is served. */

import { ByteBuffer } from '../wire/byte-buffer.ts';
import type { Codec } from '../wire/codec.ts';
import type { Beginning } from '../wire/detect.ts';
import type { ProtocolError, RequestError } from '../wire/errors.ts';
import type { CodecFinder } from './message-connection.ts';
import type { MessageSession } from './message-session.ts';
import type { PendingResult } from './pending-result.ts';

/** What holds for the connections of one listener. */
export interface ListenOptions {
  /** The protocols that are served there; all that the server knows when it is left out. */
  readonly protocols?: readonly string[];
  /**
   * Whether clients come through a proxy. A connection that ends without a word of the client then counts as lost, since it may
   * be the proxy that has gone.
   */
  readonly proxied?: boolean;
  /** Whether its clients may do what only operators may. */
  readonly admin?: boolean;
}

/** A protocol that a server knows. */
export interface ServedProtocol<Session extends MessageSession = MessageSession> extends Beginning {
  /** The name in the `protocols` of a listener. */
  readonly name: string;
  /** Whether it can be served where each message is a frame, as on WebSocket. */
  readonly isForFrames: boolean;
  /** How it is served to the clients of a listener. */
  service(options: ListenOptions): ProtocolService<Session>;
}

/** From the messages of a protocol to what is done and answered. */
export interface ProtocolService<Session extends MessageSession> {
  /** The codec of a new connection. */
  makeCodec(): Codec;
  /** Serves one message. With a result that is still pending, the next message waits until it is settled. */
  serve(session: Session, message: unknown): PendingResult | undefined;
  /** Answers what could not be understood; after a `ProtocolError` the connection closes. */
  refuse(session: Session, error: RequestError | ProtocolError): void;
}

/** Chooses the codec by the bytes that came after `whiteSpaceBytes` of white space; undefined while these are white space, too. */
export type ChooseCodec = (bytes: Uint8Array, whiteSpaceBytes: number) => Codec | undefined;

/** Finds the codec of one connection: keeps its bytes until the choice is made. */
export class DetectingCodecFinder implements CodecFinder {
  readonly #choose: ChooseCodec;
  readonly #undecided: ByteBuffer = new ByteBuffer();

  constructor(choose: ChooseCodec) {
    this.#choose = choose;
  }

  get partialBytes(): number {
    return this.#undecided.length;
  }

  find(bytes: Uint8Array): Codec | undefined {
    const undecided = this.#undecided;
    const codec = this.#choose(bytes, undecided.length);
    if (codec !== undefined && undecided.length === 0) {
      codec.push(bytes);
    } else {
      undecided.add(bytes);
      codec?.push(undecided.take());
    }
    return codec;
  }
}
