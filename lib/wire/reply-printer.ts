/**
 * Writes the replies that servers send most, `{"id":7,"result":{"status":"ok","token":9,"count":1}}` and the like,
 * exactly as `JSON.stringify` does, and several times as fast. Everything else is left to that.
 */

import { type Phrase, phrase } from './phrase.ts';
import type { ScratchOutput } from './scratch-output.ts';
import { STATUSES } from './statuses.ts';

/** Longer ids are left to `JSON.stringify`. */
const MAX_ID_CHARACTERS = 64;
const MAX_REPLY_BYTES = 256;

/** The members that a result may have here, in order. */
const STATUS = ['status'];
const GRANTED = ['status', 'token', 'count'];
const HELD_AGAIN = ['status', 'token', 'count', 'alreadyHeld'];
const RELEASED = ['status', 'count'];

const ID = phrase('{"id":');
const STRING_ID = phrase('{"id":"');
const STRING_ID_END = phrase('"');
/** The results that are a status and no more. */
const RESULTS: ReadonlyMap<unknown, Phrase> = new Map(
  Object.keys(STATUSES).map((status) => [status, phrase(`,"result":{"status":${JSON.stringify(status)}}}\n`)]),
);
const OK_TOKEN = phrase(',"result":{"status":"ok","token":');
const OK_COUNT = phrase(',"result":{"status":"ok","count":');
const COUNT = phrase(',"count":');
const END = phrase('}}\n');
const HELD_AGAIN_END = phrase(',"alreadyHeld":true}}\n');

/** A reply with a result. It is an object of a class so that the printer need not look what it has. */
export class Reply {
  readonly id: number | string;
  readonly result: object;

  constructor(id: number | string, result: object) {
    this.id = id;
    this.result = result;
  }
}

interface Result {
  readonly status?: unknown;
  readonly token?: unknown;
  readonly count?: unknown;
  readonly alreadyHeld?: unknown;
}

/** What is written here. */
interface CommonResult {
  readonly status: string;
  readonly token?: number;
  readonly count?: number;
  readonly alreadyHeld?: true;
}

/** Adds the message as a line of JSON; false when it is not a common one, and then nothing is added. */
export function printReply(message: object, output: ScratchOutput): boolean {
  if (!(message instanceof Reply)) return false;
  const { id, result } = message;
  if (!(isPlain(id) || isPrintable(id)) || !isCommon(result)) return false;
  output.begin(MAX_REPLY_BYTES);
  putId(id, output);
  putResult(result, output);
  return true;
}

function isCommon(result: object): result is CommonResult {
  if (!isWrittenByMembers(result)) return false;
  const { status, token, count, alreadyHeld } = result as Result;
  if (count === undefined) return RESULTS.has(status) && hasMembers(result, STATUS);
  if (status !== 'ok' || !isPrintable(count)) return false;
  if (token === undefined) return hasMembers(result, RELEASED);
  if (!isPrintable(token)) return false;
  return hasMembers(result, alreadyHeld === true ? HELD_AGAIN : GRANTED);
}

function putResult({ status, token, count, alreadyHeld }: CommonResult, output: ScratchOutput): void {
  if (count === undefined) {
    output.putPhrase(RESULTS.get(status) as Phrase);
    return;
  }
  if (token === undefined) {
    output.putPhrase(OK_COUNT);
  } else {
    output.putPhrase(OK_TOKEN);
    output.putInteger(token);
    output.putPhrase(COUNT);
  }
  output.putInteger(count);
  output.putPhrase(alreadyHeld === true ? HELD_AGAIN_END : END);
}

function putId(id: number | string, output: ScratchOutput): void {
  if (typeof id === 'number') {
    output.putPhrase(ID);
    output.putInteger(id);
  } else {
    output.putPhrase(STRING_ID);
    output.putAscii(id);
    output.putPhrase(STRING_ID_END);
  }
}

/** Not so are arrays, boxed values and whatever has a `toJSON`. */
function isWrittenByMembers(value: object): boolean {
  const { toJSON } = value as { readonly toJSON?: unknown };
  return Object.getPrototypeOf(value) === Object.prototype && toJSON === undefined;
}

/** Whether these are all its members, in that order. */
function hasMembers(value: object, names: readonly string[]): boolean {
  let count = 0;
  for (const name in value) {
    if (name !== names[count]) return false;
    count += 1;
  }
  return count === names.length;
}

/** A whole number that has no sign. */
function isPrintable(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isSafeInteger(value);
}

/** A text that stands in JSON as it is. */
function isPlain(text: unknown): text is string {
  if (typeof text !== 'string' || text.length > MAX_ID_CHARACTERS) return false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return false;
  }
  return true;
}
