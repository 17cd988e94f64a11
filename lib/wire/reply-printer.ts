/**
 * Writes the replies that servers send most, `{"id":7,"result":{"status":"ok","token":9,"count":1}}` and the like,
 * exactly as `JSON.stringify` does, and several times as fast. Everything else is left to that.
 */

import { STATUSES } from './statuses.ts';
import { encodeUtf8 } from './text.ts';

/** Longer ids are left to `JSON.stringify`. */
const MAX_ID_CHARACTERS = 64;
const STATUS_MEMBERS: ReadonlyMap<unknown, string> = new Map(
  Object.keys(STATUSES).map((status) => [status, `"status":${JSON.stringify(status)}`]),
);

/** The members of a result that are written here. */
interface CommonResult {
  readonly status?: unknown;
  readonly token?: unknown;
  readonly count?: unknown;
  readonly alreadyHeld?: unknown;
}

/** Any message as JSON in UTF-8, each character a byte. */
export function printMessage(message: object): string {
  return printReply(message) ?? encodeUtf8(JSON.stringify(message));
}

/** The message as JSON, all of it ASCII; undefined when it is not a common one. */
export function printReply(message: object): string | undefined {
  if (!isWrittenByMembers(message)) return undefined;
  const { id, result } = message as { readonly id?: unknown; readonly result?: unknown };
  if (typeof result !== 'object' || result === null) return undefined;
  let count = 0;
  for (const key in message) {
    if (key !== (count === 0 ? 'id' : 'result')) return undefined;
    count += 1;
  }
  const printedId = typeof id === 'number' ? printNumber(id) : printText(id);
  const members = printResult(result);
  if (printedId === undefined || members === undefined) return undefined;
  return `{"id":${printedId},"result":{${members}}}`;
}

/** Not so are arrays, boxed values and whatever has a `toJSON`. */
function isWrittenByMembers(value: object): boolean {
  return value.constructor === Object && (value as { readonly toJSON?: unknown }).toJSON === undefined;
}

/** A status and what may follow it, in the order in which the result has it. */
function printResult(result: CommonResult): string | undefined {
  if (!isWrittenByMembers(result)) return undefined;
  let members = '';
  for (const key in result) {
    const member = Object.hasOwn(result, key) ? printMember(key, result) : undefined;
    if (member === undefined || (key === 'status') !== (members === '')) return undefined;
    members += member;
  }
  return members === '' ? undefined : members;
}

/** By its name, since to get a member by a key that varies is slow. */
function printMember(key: string, { status, token, count, alreadyHeld }: CommonResult): string | undefined {
  if (key === 'status') return STATUS_MEMBERS.get(status);
  if (key === 'count') return typeof count === 'number' ? `,"count":${printNumber(count)}` : undefined;
  if (key === 'token') return typeof token === 'number' ? `,"token":${printNumber(token)}` : undefined;
  return key === 'alreadyHeld' && alreadyHeld === true ? ',"alreadyHeld":true' : undefined;
}

const TOKEN_UNIT = 1e9;
let highPart = 0;
let highText = '';

/** Tokens are large and close together: what they begin with is kept, since to print a large number is slow. */
function printNumber(value: number): string {
  if (value < TOKEN_UNIT || !Number.isSafeInteger(value)) return Number.isFinite(value) ? `${value}` : 'null';
  const high = Math.floor(value / TOKEN_UNIT);
  if (high !== highPart) {
    highPart = high;
    highText = `${high}`;
  }
  return highText + `${value - high * TOKEN_UNIT + TOKEN_UNIT}`.slice(1);
}

/** A text that stands in JSON as it is. */
function printText(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.length > MAX_ID_CHARACTERS) return undefined;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return undefined;
  }
  return `"${text}"`;
}
