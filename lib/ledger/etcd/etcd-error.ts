/** Why etcd did not do what it was asked for. */

/**
 * `unreachable`: no connection. `timeout`: no answer in time. `noQuorum`: the member that was asked has no leader. `denied`: the user, the
 * password or the permission is wrong. `noSpace`: the database has reached its quota. `compacted`: the revision is no longer kept.
 * `certificate`: one side does not trust the certificate of the other. `invalid`: etcd does not take such a request. `failed`: anything else.
 */
export type EtcdErrorCode =
  | 'unreachable'
  | 'noQuorum'
  | 'timeout'
  | 'denied'
  | 'noSpace'
  | 'compacted'
  | 'certificate'
  | 'invalid'
  | 'failed';

/** The message names the endpoint and is one line for people. */
export class EtcdError extends Error {
  override readonly name: string = 'EtcdError';
  readonly code: EtcdErrorCode;
  /** Whether a transaction may have been carried out nevertheless. */
  readonly isOutcomeUnknown: boolean;

  constructor(code: EtcdErrorCode, message: string, isOutcomeUnknown = false, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.isOutcomeUnknown = isOutcomeUnknown;
  }

  /** Whether another endpoint may do better. */
  get isOfEndpoint(): boolean {
    return ['unreachable', 'noQuorum', 'timeout', 'certificate'].includes(this.code);
  }

  /** Whether the token of a login was refused: etcd forgets tokens after some minutes, and when it is restarted. */
  get isOfToken(): boolean {
    return TOKEN_REFUSED.test((this.cause as Failure | undefined)?.details ?? '');
  }
}

/** What the gRPC library tells of a failed call. */
export interface Failure {
  readonly code: number;
  readonly details: string;
}

const TOKEN_REFUSED = /invalid auth token|revision of auth store is old|revision in header is old/;
/** Nothing was sent, or it was refused before it was given to the members of the cluster. */
const NOT_DONE = /^No connection established|^Name resolution failed|^etcdserver: no leader$|^auth: /;
/** gRPC's numbers for cancelled, unknown, deadline exceeded, internal, unavailable and data loss; with all others etcd has refused. */
const INCONCLUSIVE: ReadonlySet<number> = new Set([1, 2, 4, 13, 14, 15]);
const CERTIFICATE = /certificate|altname|alert|SSL routines|wrong version number/i;

/** What etcd says, or else the number of gRPC, with our code. The first that fits counts. */
const KINDS: readonly (readonly [code: EtcdErrorCode, words: RegExp | undefined, number?: number])[] = [
  ['noSpace', /database space exceeded/],
  ['compacted', /revision has been compacted/],
  ['noQuorum', /no leader|leader changed|request timed out|unhealthy cluster|not enough started members/],
  ['denied', /authentication|invalid auth token|permission denied|user name|revision in header is old/],
  // A member may give up a moment before the call does.
  ['timeout', /^context deadline exceeded$/],
  ['timeout', undefined, 4],
  ['denied', undefined, 7],
  ['denied', undefined, 16],
  ['invalid', undefined, 3],
  ['certificate', CERTIFICATE, 14],
  ['unreachable', undefined, 14],
];

/** Says in plain words why a call to an endpoint failed, given how long it had, in milliseconds. */
export function toEtcdError(endpoint: string, failure: Failure, timeoutMs: number): EtcdError {
  const { code: number, details } = failure;
  const [code] = KINDS.find(([, words, expected]) => fits(words, expected, failure)) ?? ['failed' as const];
  const isOutcomeUnknown = INCONCLUSIVE.has(number) && !NOT_DONE.test(details);
  return new EtcdError(code, `etcd at ${endpoint} ${tell(code, details, timeoutMs)}`, isOutcomeUnknown, failure);
}

/** Several endpoints failed, one after the other: tells of each, with the code that says most. */
export function joinErrors(errors: readonly [EtcdError, ...EtcdError[]]): EtcdError {
  const [first] = errors;
  if (errors.length === 1) return first;
  const telling = errors.find(({ code }) => code === 'noQuorum') ?? errors.at(-1) ?? first;
  const message = errors.map((error) => error.message).join('; ');
  const isOutcomeUnknown = errors.some((error) => error.isOutcomeUnknown);
  return new EtcdError(telling.code, message, isOutcomeUnknown, telling.cause);
}

function fits(words: RegExp | undefined, number: number | undefined, failure: Failure): boolean {
  return (number === undefined || number === failure.code) && (words === undefined || words.test(failure.details));
}

function tell(code: EtcdErrorCode, details: string, timeoutMs: number): string {
  const text = details.replace(/^etcdserver: /, '').replace(/^No connection established\. Last error: /, '');
  const why = text.replace(/\.? Resolution note:.*$/s, '').replace(/^Error: /, '');
  if (code === 'unreachable') return `cannot be reached: ${why}`;
  if (code === 'timeout') return `did not answer within ${timeoutMs} ms`;
  if (code === 'noQuorum') return `has no quorum: ${why}`;
  if (code === 'certificate') return `cannot be trusted, or does not trust us; look at the certificates: ${why}`;
  if (code === 'noSpace') {
    return 'has no space left (alarm NOSPACE): compact and defragment it, or raise its quota, then disarm the alarm';
  }
  if (code === 'denied') return `denies access: ${why}`;
  return `refused or failed: ${why}`;
}
