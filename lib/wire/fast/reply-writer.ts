/** Writes the replies that servers send most, exactly as `JSON.stringify` does, and several times as fast. */

import { STATUSES } from '../statuses.ts';
import { type Phrase, phrase } from './ascii-reader.ts';
import type { ByteOutput } from './byte-output.ts';

/** Longer ids are left to `JSON.stringify`. */
const MAX_ID_CHARACTERS = 64;

const MEMBERS: readonly string[] = ['status', 'token', 'count'];

const ID = phrase('{"id":');
const GRANTED = phrase(',"result":{"status":"ok","token":');
const RELEASED = phrase(',"result":{"status":"ok","count":');
const COUNT = phrase(',"count":');
const END = phrase('}}\n');
/** The results that are a status and no more. */
const STATUS_ALONE: ReadonlyMap<unknown, Phrase> = new Map(
  Object.keys(STATUSES).map((status) => [status, phrase(`,"result":{"status":"${status}"}}\n`)]),
);

/** Adds the message as a line of JSON; false when it is not the reply to a request with one of the common results. */
export function writeReply(message: object, output: ByteOutput): boolean {
  const { id, result } = message as { readonly id?: unknown; readonly result?: unknown };
  if (typeof result !== 'object' || result === null || countMembers(message) !== 2) return false;
  if (!isWhole(id) && !isPlainText(id)) return false;
  const { status, token, count } = result as Readonly<Record<string, unknown>>;
  const memberCount = countCommonMembers(result);
  if (memberCount === 1) return writeStatus(id, status, output);
  if (memberCount === 0 || status !== 'ok' || !isWhole(count)) return false;
  if (memberCount === 2) {
    writeId(id, output);
    output.put(RELEASED);
  } else {
    if (!isWhole(token)) return false;
    writeId(id, output);
    output.put(GRANTED);
    output.putInteger(token);
    output.put(COUNT);
  }
  output.putInteger(count);
  output.put(END);
  return true;
}

function writeStatus(id: number | string, status: unknown, output: ByteOutput): boolean {
  const rest = STATUS_ALONE.get(status);
  if (rest === undefined) return false;
  writeId(id, output);
  output.put(rest);
  return true;
}

function writeId(id: number | string, output: ByteOutput): void {
  output.put(ID);
  if (typeof id === 'number') {
    output.putInteger(id);
    return;
  }
  const text = `"${id}"`;
  if (!output.putAscii(text)) output.add(text);
}

/** How many members `JSON.stringify` would write, or -1 when the value has a way of its own. */
function countMembers(value: object): number {
  if ((value as { readonly toJSON?: unknown }).toJSON !== undefined) return -1;
  let count = 0;
  for (const _name in value) count += 1;
  return count;
}

/**
 * How many members the result has, if they are `status`, then `token` or not, then `count` or not, and `JSON.stringify` would
 * write just these; 0 otherwise.
 */
function countCommonMembers(result: object): number {
  if (Object.getPrototypeOf(result) !== Object.prototype) return 0;
  if ((result as { readonly toJSON?: unknown }).toJSON !== undefined) return 0;
  let count = 0;
  for (const name in result) {
    if (name !== MEMBERS[count] && !(count === 1 && name === 'count')) return 0;
    count += 1;
  }
  return count;
}

/** A whole number without a sign. */
function isWhole(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isSafeInteger(value);
}

/** A text that stands in JSON as it is. */
function isPlainText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_ID_CHARACTERS && /^[ !#-[\]-~]*$/.test(value);
}
