/** Writes the replies that servers send most, exactly as `JSON.stringify` does, and several times as fast. */

import { STATUSES } from '../statuses.ts';

/** Longer ids are left to `JSON.stringify`. */
const MAX_ID_CHARACTERS = 64;

const REPLY: readonly string[] = ['id', 'result'];
const STATUS_ALONE: readonly string[] = ['status'];
const RELEASED: readonly string[] = ['status', 'count'];
const GRANTED: readonly string[] = ['status', 'token', 'count'];

/** The results that are a status and no more. */
const STATUS_RESULTS: ReadonlyMap<unknown, string> = new Map(
  Object.keys(STATUSES).map((status) => [status, `,"result":{"status":"${status}"}}\n`]),
);

const THOUSAND = 1_000;
/** The numbers from 0 to 999 as three digits. */
const TRIPLETS: readonly string[] = Array.from({ length: THOUSAND }, (_, number) => String(number).padStart(3, '0'));

/** How replies end, by a count that is small. */
const COUNT_ENDS: readonly string[] = Array.from({ length: 16 }, (_, count) => `,"count":${count}}}\n`);

/** The message as a line of JSON; undefined when it is not the reply to a request with one of the common results. */
export function writeReply(message: object): string | undefined {
  const { id, result } = message as { readonly id?: unknown; readonly result?: unknown };
  if (typeof result !== 'object' || result === null || !hasJust(message, REPLY)) return undefined;
  const rest = writeResult(result);
  if (rest === undefined) return undefined;
  if (isWhole(id)) return `{"id":${decimal(id)}${rest}`;
  return isPlainText(id) ? `{"id":"${id}"${rest}` : undefined;
}

/** From behind the id to the end of the line. */
function writeResult(result: object): string | undefined {
  const { status, token, count } = result as Readonly<Record<string, unknown>>;
  if (count === undefined) return hasJust(result, STATUS_ALONE) ? STATUS_RESULTS.get(status) : undefined;
  if (status !== 'ok' || !isWhole(count)) return undefined;
  const end = count < COUNT_ENDS.length ? (COUNT_ENDS[count] as string) : `,"count":${count}}}\n`;
  if (token === undefined) return hasJust(result, RELEASED) ? `,"result":{"status":"ok"${end}` : undefined;
  if (!isWhole(token) || !hasJust(result, GRANTED)) return undefined;
  return `,"result":{"status":"ok","token":${decimal(token)}${end}`;
}

/** Whether `JSON.stringify` would write just these members, in this order. */
function hasJust(value: object, names: readonly string[]): boolean {
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  if ((value as { readonly toJSON?: unknown }).toJSON !== undefined) return false;
  let count = 0;
  for (const name in value) {
    if (name !== names[count]) return false;
    count += 1;
  }
  return count === names.length;
}

/** A whole number without a sign. */
function isWhole(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isSafeInteger(value);
}

/** A text that stands in JSON as it is. */
function isPlainText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_ID_CHARACTERS && /^[ !#-[\]-~]*$/.test(value);
}

/**
 * The digits of a whole number. Ids and tokens grow one by one, and the engine remembers the texts of numbers that it
 * has seen lately: so it knows the thousands.
 */
function decimal(number: number): string {
  if (number < THOUSAND) return `${number}`;
  const thousands = Math.floor(number / THOUSAND);
  return `${thousands}${TRIPLETS[number - thousands * THOUSAND] as string}`;
}
