/** What asking for a lock, and holding one, can fail with. */

/** Stable, for callers to match on. */
export type LockErrorCode =
  /** The lock was not granted within `waitMs`. */
  | 'timeout'
  /** The wait was ended on the server. */
  | 'cancelled'
  /** The server refused the request as wrong, such as a name that is no string. */
  | 'invalid'
  /** A limit of the server forbids it. */
  | 'limit'
  /** The server is set not to allow it. */
  | 'denied'
  /** The server is about to stop and grants nothing more. */
  | 'draining'
  /** The server answered with something that this client does not know. */
  | 'protocol';

/** A lock was not granted; `code` says why. */
export class LockError extends Error {
  override readonly name: string = 'LockError';
  readonly code: LockErrorCode;

  constructor(code: LockErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Why a lock was lost. */
export type LockLostCode =
  /** The connection to the server broke: the server frees what the client held. */
  | 'connectionLost'
  /** The client was closed by its own side. */
  | 'closed'
  /** The lease was over. */
  | 'leaseOver'
  /** Somebody took it away. */
  | 'forced'
  | 'stolen';

/** The reason with which a handle's signal aborts. */
export class LockLostError extends Error {
  override readonly name: string = 'LockLostError';
  readonly code: LockLostCode;

  constructor(code: LockLostCode, lockName: string) {
    super(`the lock ${JSON.stringify(lockName)} was lost: ${EXPLANATIONS[code]}`);
    this.code = code;
  }
}

const EXPLANATIONS: Readonly<Record<LockLostCode, string>> = {
  connectionLost: 'the connection to the server broke',
  closed: 'the client was closed',
  leaseOver: 'its lease was over',
  forced: 'it was taken away',
  stolen: 'another took it',
};
