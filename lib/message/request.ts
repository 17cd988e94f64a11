/** What a request must look like before anybody asks which command it is. */

import { encodedLength } from '../wire/text.ts';
import type { MessageId } from './message-session.ts';
import { show } from './show.ts';

const MAX_ID_BYTES = 128;
const ID_EXPECTED = `a whole number between -2^53 and 2^53, or a string of up to ${MAX_ID_BYTES} bytes`;

/** A request whose outer form is right. `null` counts as no id. */
export interface Request {
  readonly command: string;
  readonly id?: MessageId | null;
  readonly parameters?: unknown;
  readonly [key: string]: unknown;
}

/** What is wrong with a message, and the id of the request if that could be read. */
export interface MalformedRequest {
  readonly id: MessageId | undefined;
  readonly message: string;
}

/** What keeps a message from being a `Request`; undefined when nothing does. */
export function findFault(message: unknown): MalformedRequest | undefined {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    return { id: undefined, message: `the message is ${show(message)}; expected an object` };
  }
  const { id = null, command } = message as Readonly<Record<string, unknown>>;
  if (id !== null && !isMessageId(id)) {
    return { id: undefined, message: `id is ${show(id)}; expected ${ID_EXPECTED}` };
  }
  if (typeof command === 'string') return undefined;
  const found = command === undefined ? 'command is missing' : `command is ${show(command)}; expected a string`;
  return { id: id ?? undefined, message: found };
}

function isMessageId(value: unknown): value is MessageId {
  if (typeof value === 'string') return value.length <= MAX_ID_BYTES && encodedLength(value) <= MAX_ID_BYTES;
  return Number.isSafeInteger(value);
}
