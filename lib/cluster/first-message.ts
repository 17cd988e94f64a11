/** What a standby must know of a new connection: whether its client can go elsewhere. */

import type { Buffer } from 'node:buffer';
import { beginsWithProxyHeader, firstNonSpace } from '../wire/detect.ts';
import { findTooManyValues } from '../wire/json-values.ts';

const OPENING_BRACE = 0x7b;
const NEWLINE = 0x0a;
const LETTER_A = 0x61;
const LETTER_Z = 0x7a;
/** A longer message is forwarded without a look. */
const LOOKED_AT_BYTES = 16_384;

/** How a connection begins. */
export interface FirstMessage {
  /** Undefined where there is no message of ours to answer. */
  readonly id: string | number | undefined;
  /** Whether it is a `hello` of a client that would rather connect to the leader. */
  readonly canRedirect: boolean;
}

const FORWARDED: FirstMessage = { id: undefined, canRedirect: false };

/** `partial` while more has to come, `foreign` for what no protocol of ours begins with. */
export function lookAtFirst(
  bytes: Buffer,
  { maxMessageValues }: { readonly maxMessageValues: number },
): FirstMessage | 'partial' | 'foreign' {
  if (beginsWithProxyHeader(bytes)) return 'foreign';
  const first = firstNonSpace(bytes);
  if (first === undefined) return bytes.length > LOOKED_AT_BYTES ? 'foreign' : 'partial';
  if (first !== OPENING_BRACE) return isOfOlderProtocol(first) ? FORWARDED : 'foreign';
  const begin = bytes.indexOf(OPENING_BRACE);
  const end = bytes.indexOf(NEWLINE, begin);
  if (end === -1) return bytes.length > LOOKED_AT_BYTES ? FORWARDED : 'partial';
  const line = bytes.subarray(begin, end);
  return findTooManyValues(line, maxMessageValues) === undefined ? parseFirst(line) : FORWARDED;
}

/** Lines begin with a lower-case letter, frames with the upper byte of a small number. */
function isOfOlderProtocol(byte: number): boolean {
  return byte === 0 || (byte >= LETTER_A && byte <= LETTER_Z);
}

function parseFirst(line: Buffer): FirstMessage {
  try {
    const { command, id, parameters } = JSON.parse(line.toString('utf8')) as Record<string, unknown>;
    const isHello =
      command === 'hello' && (parameters as { readonly redirect?: unknown } | undefined)?.redirect === true;
    return { id: typeof id === 'string' || typeof id === 'number' ? id : undefined, canRedirect: isHello };
  } catch {
    // The leader says what is wrong.
    return FORWARDED;
  }
}
