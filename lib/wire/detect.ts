/**
 * Which protocol a connection speaks, from its first byte. Whatever is not clearly one of ours is refused, so that an
 * HTTP request from a browser page never reaches a command, in its body either.
 */

/** `unknown`: close the connection. */
export type Protocol = 'ndjson' | 'unknown';

/** Looks at the first bytes; undefined while there is nothing but white space. */
export function detectProtocol(bytes: Uint8Array): Protocol | undefined {
  for (const byte of bytes) {
    if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) continue;
    return byte === 0x7b ? 'ndjson' : 'unknown';
  }
  return undefined;
}
