/** How one protocol is served; a server offers one or several, and a connection's first byte chooses. */

import type { Codec } from '../wire/codec.ts';
import type { ProtocolError, RequestError } from '../wire/errors.ts';
import type { MessageSession } from './message-session.ts';
import type { PendingResult } from './pending-result.ts';

/** From the messages of a protocol to what is done and answered. */
export interface ProtocolService<Session extends MessageSession> {
  /** The codec of a new connection. */
  makeCodec(): Codec;
  /** Serves one message. With a result that is still pending, the next message waits until it is settled. */
  serve(session: Session, message: unknown): PendingResult | undefined;
  /** Answers what could not be understood; after a `ProtocolError` the connection closes. */
  refuse(session: Session, error: RequestError | ProtocolError): void;
}
