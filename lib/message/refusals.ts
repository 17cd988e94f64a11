/** Refused connections and commands, counted by reason. They are logged, too, unless the answer names the reason. */

import type { QuietLog } from './quiet-log.ts';

/** Every reason to turn a connection away, with its meaning. The documents repeat it. Limits go by their settings' names. */
export const CONNECTION_REFUSALS = {
  allowList: 'The address is not in `allowed`.',
  maxConnections: 'There were `maxConnections` already.',
  maxConnectionsPerAddress: 'The address had `maxConnectionsPerAddress` already.',
  silent:
    'The connection had sent no message, and gave way to a new one at `maxConnections` or `maxConnectionsPerAddress`.',
  draining: 'The server was about to stop.',
  proxyHeader: 'What came from an address in `proxies` did not begin with a valid header of the PROXY protocol.',
  tlsExpected: 'The client spoke without TLS where `tls` is set.',
  tlsUnexpected: 'The client spoke TLS where `tls` is not set.',
  tlsHandshake:
    'The TLS handshake failed otherwise: no version in common, or the client does not accept the certificate.',
  clientCertificateMissing: 'The client showed no certificate, which `tls.ca` requires.',
  clientCertificate: 'The certificate of the client is expired, or of none of the authorities in `tls.ca`.',
  handshakeTimeout: 'The handshake of TLS or of WebSocket, or the header of a proxy, did not end in time.',
  origin: 'WebSocket: the origin of the page is not in `origins`.',
  host: 'WebSocket: a page called the server by a name that is not in `hosts`.',
  webSocketHandshake: 'WebSocket: what came is no handshake, or not a valid one.',
  webSocketFrame: 'WebSocket: a frame was not valid.',
  webSocketFragments: 'WebSocket: a message came in more than 16,384 fragments or 262,144 pieces.',
  webSocketPongs: 'WebSocket: the client sent pings and left more than 60 of the answers unread.',
  http: 'An HTTP request came where messages are served.',
  unknownProtocol: 'The first byte belongs to no protocol.',
  protocolNotServed: 'The protocol is not in `protocols` of the listener.',
  maxMessageBytes: 'A message, a line or a frame was longer than `maxMessageBytes`.',
  messageTimeoutMs: 'A message, a line or a frame had begun and did not end within `messageTimeoutMs`.',
  totalInputBytes: 'The message was the longest of those that had begun, which together passed `totalInputBytes`.',
  hardOutputBytes: 'The client left more than `hardOutputBytes` of output unread.',
  totalOutputBytes:
    'All clients had left more than `totalOutputBytes` unread, or waiting listings would have passed it.',
} as const;

/** Why a connection was turned away. */
export type ConnectionRefusalReason = keyof typeof CONNECTION_REFUSALS;

/** A reason to refuse, in words. */
export interface RefusalCause<Reason extends string = string> {
  /** What it is counted by. */
  readonly reason: Reason;
  /** What was refused; a connection when it is left out. */
  readonly refused?: 'a connection' | 'an HTTP request' | 'a command' | 'a session without a connection';
  /** What was wrong, behind "refused a connection from 127.0.0.1: ". */
  readonly why: string;
  /** What the operator can do, behind "to allow it, ". */
  readonly remedy?: string | undefined;
}

/** A cause, and whom it met. */
export interface Refusal<Reason extends string = string> extends RefusalCause<Reason> {
  /** Where the peer is, without its port. */
  readonly address: string;
}

/** What one server has refused. */
export class Refusals {
  /** By reason, since the server was made. */
  readonly counts: Record<string, number>;
  readonly #log: QuietLog;

  /** Counts these reasons from the start, so that they can be seen to be 0. */
  constructor(log: QuietLog, reasons: readonly string[]) {
    this.#log = log;
    this.counts = Object.fromEntries(reasons.map((reason) => [reason, 0]));
  }

  /** Counts a refusal whose answer names the reason. */
  count(reason: string): void {
    this.counts[reason] = (this.counts[reason] ?? 0) + 1;
  }

  /** Counts and logs a refusal. */
  add(refusal: Refusal): void {
    const { reason, refused = 'a connection', address } = refusal;
    this.count(reason);
    const message = `refused ${refused} from ${address}: ${explain(refusal)}`;
    this.#log.tell({
      level: 'warn',
      topic: reason,
      key: address,
      details: { reason, address },
      message,
      leftOut: (count) => ({
        details: { reason, count, address },
        message: `${count} more were refused within a minute (${reason}), the last from ${address}`,
      }),
    });
  }
}

/** What was wrong and what would allow it, in one sentence. */
export function explain({ why, remedy }: RefusalCause): string {
  return remedy === undefined ? why : `${why}; to allow it, ${remedy}`;
}

/** Where a peer is, without its port: `127.0.0.1` of `127.0.0.1:50123`, `::1` of `[::1]:50123`, `unix` of `unix:7`. */
export function hostOf(peer: string): string {
  return peer.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}
