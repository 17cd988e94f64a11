/** The errors of calls to a message server. */

/** Stable, for callers to match on. */
export type MessageErrorCode =
  /** There was no result, or no connection, in time. */
  | 'timeout'
  /** There is no connection: none was opened yet, or the client was closed. */
  | 'closed'
  /** The connection broke before the result came. The server may or may not have carried out the request. */
  | 'connectionLost'
  /** Too many calls at once, or a limit of the server was reached. */
  | 'limit'
  /** The server could not understand the request. */
  | 'invalid'
  /** The server failed while it carried out the request. */
  | 'internal';

/** A call failed; `code` tells why. */
export class MessageError extends Error {
  override readonly name: string = 'MessageError';
  readonly code: MessageErrorCode;

  constructor(code: MessageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Made of an error reply. */
  static fromReply(error: Readonly<Record<string, unknown>>): MessageError {
    const { status, message } = error;
    const code = status === 'limit' || status === 'invalid' ? status : 'internal';
    return new MessageError(code, typeof message === 'string' ? message : 'the server answered with an error');
  }
}

/** The error of calls whose connection broke. */
export function connectionLost(cause: Error | undefined): MessageError {
  const reason = cause?.message ?? 'the server closed it';
  return new MessageError('connectionLost', `the connection was lost: ${reason}`, { cause });
}

/** The peer was cut off because it did not read. */
export class UnreadOutputError extends Error {
  /** The limit that was passed. */
  readonly limit: 'hardOutputBytes' | 'totalOutputBytes';

  constructor(limit: 'hardOutputBytes' | 'totalOutputBytes', message: string) {
    super(message);
    this.limit = limit;
  }
}
