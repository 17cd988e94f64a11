/**
 * Which protocol a connection speaks, from its first byte. Whatever is not clearly one of ours is refused, so that an
 * HTTP request from a browser page never reaches a command, in its body either.
 */

/** Newline-delimited JSON, pkLockServer's length-prefixed JSON, and the line protocol of lockd and glockd. */
export type Protocol = 'ndjson' | 'prefixed' | 'line';

const TAB = 0x09;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

const DELETE = 0x7f;

/** Looks at the first bytes; undefined while there is nothing but white space. `unknown`: close the connection. */
export function detectProtocol(bytes: Uint8Array): Protocol | 'unknown' | undefined {
  const first = bytes.find(isNoWhiteSpace);
  if (first === undefined) return undefined;
  if (first === 0x7b) return 'ndjson';
  if (first === 0x00) return 'prefixed';
  return first >= 0x61 && first <= 0x7a ? 'line' : 'unknown';
}

/**
 * The same where only lines are served: there a line that is no command, in upper case or blank, is one of the line
 * protocol's.
 */
export function detectLine(bytes: Uint8Array): Protocol | 'unknown' | undefined {
  const detected = detectProtocol(bytes);
  if (detected === undefined) return bytes.includes(NEWLINE) ? 'line' : undefined;
  const first = bytes.find(isNoWhiteSpace) as number;
  return detected === 'unknown' && first > SPACE && first < DELETE ? 'line' : detected;
}

function isNoWhiteSpace(byte: number): boolean {
  return byte !== SPACE && (byte < TAB || byte > CARRIAGE_RETURN);
}

const NEWLINE = 0x0a;
const TLS_HANDSHAKE = 0x16;
const TLS_MAJOR_VERSION = 0x03;
const HTTP_REQUEST = /^\s{0,64}[A-Z]{3,20} /;
const MAX_GUESSED_BYTES = 128;

/** What a connection of an unknown protocol seems to speak, so that people can be told. */
export function guessForeignProtocol(bytes: Uint8Array): 'tls' | 'http' | 'unknown' {
  if (bytes[0] === TLS_HANDSHAKE && (bytes.length === 1 || bytes[1] === TLS_MAJOR_VERSION)) return 'tls';
  return HTTP_REQUEST.test(String.fromCharCode(...bytes.subarray(0, MAX_GUESSED_BYTES))) ? 'http' : 'unknown';
}
