/**
 * Which protocol a connection speaks, from its first bytes. Whatever is not clearly one of ours is refused, so that an
 * HTTP request from a browser page never reaches a command, in its body either.
 */

const TAB = 0x09;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

/** How the connections of a protocol begin. */
export interface Beginning {
  /** Whether their first byte is this one, white space passed over. */
  beginsWith(byte: number): boolean;
  /** Whether these bytes, which begin no protocol, are taken for this one where no other is served. */
  takesAlone?(bytes: Uint8Array): boolean;
}

/**
 * Looks at the first bytes; `only` is the protocol where a single one is served. Undefined while there is nothing but
 * white space. `unknown`: close the connection.
 */
export function detectProtocol<Protocol extends Beginning>(
  bytes: Uint8Array,
  known: readonly Protocol[],
  only?: Protocol,
): Protocol | 'unknown' | undefined {
  if (beginsWithProxyHeader(bytes)) return 'unknown';
  const first = firstNonSpace(bytes);
  const detected = first === undefined ? undefined : known.find((protocol) => protocol.beginsWith(first));
  if (detected !== undefined) return detected;
  if (only?.takesAlone?.(bytes)) return only;
  return first === undefined ? undefined : 'unknown';
}

/** The first byte that is no white space. */
export function firstNonSpace(bytes: Uint8Array): number | undefined {
  return bytes.find((byte) => byte !== SPACE && (byte < TAB || byte > CARRIAGE_RETURN));
}

/** How a header of the PROXY protocol begins: version 1, a line of text, and version 2, which is binary. */
export const PROXY_BEGINNINGS = { text: 'PROXY ', binary: '\r\n\r\n\0\r\nQUIT\n' } as const;

/** Whether a proxy sent its header, which only listeners take that trust it. A binary one looks like white space and a frame. */
export function beginsWithProxyHeader(bytes: Uint8Array): boolean {
  return Object.values(PROXY_BEGINNINGS).some((beginning) => {
    if (bytes[0] !== beginning.charCodeAt(0)) return false;
    return String.fromCharCode(...bytes.subarray(0, beginning.length)) === beginning;
  });
}

const TLS_HANDSHAKE = 0x16;
const TLS_MAJOR_VERSION = 0x03;
const HTTP_REQUEST = /^\s{0,64}[A-Z]{3,20} /;
const MAX_GUESSED_BYTES = 128;

/** The protocol that a connection of an unknown one seems to speak, for people. */
export function guessForeignProtocol(bytes: Uint8Array): 'tls' | 'http' | 'proxy' | 'unknown' {
  if (beginsWithProxyHeader(bytes)) return 'proxy';
  if (bytes[0] === TLS_HANDSHAKE && (bytes.length === 1 || bytes[1] === TLS_MAJOR_VERSION)) return 'tls';
  return HTTP_REQUEST.test(String.fromCharCode(...bytes.subarray(0, MAX_GUESSED_BYTES))) ? 'http' : 'unknown';
}
