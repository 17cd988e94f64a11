/** Bounds what a JSON text costs to parse: 1 MiB of brackets or short members takes 0.2 s, one long string a thousandth of that. */

import { type ProtocolError, RequestError } from './errors.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPENING_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const OPENING_BRACE = 0x7b;

/** The error in a message that has more than `max` values, which are its lists, objects, items and members; undefined if it has not. */
export function findTooManyValues(bytes: Uint8Array, max: number): RequestError | undefined {
  // Each value takes a byte at least.
  if (bytes.length <= max || !hasMoreValues(bytes, max)) return undefined;
  return new RequestError('limit', `a message has more values than maxMessageValues, ${max}`);
}

/** Whether that was the error. No other message is refused at a limit while its connection goes on. */
export function isTooManyValues(error: RequestError | ProtocolError): boolean {
  return error instanceof RequestError && error.status === 'limit';
}

function hasMoreValues(bytes: Uint8Array, max: number): boolean {
  let count = 0;
  for (let index = 0; index < bytes.length && count <= max; index += 1) {
    const byte = bytes[index];
    if (byte === QUOTE) index = endOfString(bytes, index);
    else if (byte === COMMA || byte === OPENING_BRACKET || byte === OPENING_BRACE) count += 1;
  }
  return count > max;
}

/** Where the closing quote is. */
function endOfString(bytes: Uint8Array, start: number): number {
  let index = start + 1;
  while (index < bytes.length && bytes[index] !== QUOTE) index += bytes[index] === BACKSLASH ? 2 : 1;
  return index;
}
