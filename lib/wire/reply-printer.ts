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
/** With the counts that nearly all have: of one who holds a lock, and of none any more. */
const COUNT_ONE_END = phrase(',"count":1}}\n');
const OK_COUNT_NONE_END = phrase(',"result":{"status":"ok","count":0}}\n');

/** The result of a lock that was granted. Objects of a class are printed without a look at what they have. */
export class GrantedResult {
  readonly status = 'ok';
  readonly token: number;
  readonly count: number;

  constructor(token: number, count: number) {
    this.token = token;
    this.count = count;
  }
}

/** The result of a lock that was given back. */
export class ReleasedResult {
  readonly status = 'ok';
  readonly count: number;

  constructor(count: number) {
    this.count = count;
  }
}

/** A reply with a result. It is an object of a class so that the printer need not look what it has. */
export class Reply {
  readonly id: number | string;
  readonly result: object;

  constructor(id: number | string, result: object) {
    this.id = id;
    this.result = result;
  }
}

/** Adds the message as a line of JSON; false when it is not a common one, and then nothing is added. */
export function printReply(message: object, output: ScratchOutput): boolean {
  if (!(message instanceof Reply)) return false;
  const { id, result } = message;
  if (!(isPrintable(id) || isPlain(id))) return false;
  if (result instanceof GrantedResult) return printGranted(id, result, output);
  if (result instanceof ReleasedResult) return printReleased(id, result, output);
  return printStatus(id, result, output);
}

function printGranted(id: number | string, { token, count }: GrantedResult, output: ScratchOutput): boolean {
  if (!(isPrintable(token) && isPrintable(count))) return false;
  output.begin(MAX_REPLY_BYTES);
  putId(id, output);
  output.putPhrase(OK_TOKEN);
  output.putInteger(token);
  if (count === 1) {
    output.putPhrase(COUNT_ONE_END);
  } else {
    output.putPhrase(COUNT);
    output.putInteger(count);
    output.putPhrase(END);
  }
  return true;
}

function printReleased(id: number | string, { count }: ReleasedResult, output: ScratchOutput): boolean {
  if (!isPrintable(count)) return false;
  output.begin(MAX_REPLY_BYTES);
  putId(id, output);
  if (count === 0) {
    output.putPhrase(OK_COUNT_NONE_END);
  } else {
    output.putPhrase(OK_COUNT);
    output.putInteger(count);
    output.putPhrase(END);
  }
  return true;
}

/** Results that are a status and no more. */
function printStatus(id: number | string, result: object, output: ScratchOutput): boolean {
  const { status } = result as { readonly status?: unknown };
  const rest = RESULTS.get(status);
  if (rest === undefined || !isStatusOnly(result)) return false;
  output.begin(MAX_REPLY_BYTES);
  putId(id, output);
  output.putPhrase(rest);
  return true;
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

/** Whether `JSON.stringify` would write its own members, of which there is one. */
function isStatusOnly(value: object): boolean {
  const { toJSON } = value as { readonly toJSON?: unknown };
  if (Object.getPrototypeOf(value) !== Object.prototype || toJSON !== undefined) return false;
  let count = 0;
  for (const name in value) {
    if (name !== 'status') return false;
    count += 1;
  }
  return count === 1;
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
