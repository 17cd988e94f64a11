/**
 * Writes the replies that servers send most exactly as `JSON.stringify` would, several times as fast: objects of simple
 * members, one of which may be such an object again. Whatever else there is, is left to that.
 */

/** Longer texts are cheaper to leave to `JSON.stringify` than to look through here. */
const MAX_PLAIN_CHARACTERS = 64;
const TOKEN_UNIT = 1e9;

/** The message as one JSON text, all of it ASCII; undefined when it is not a common one. */
export function printReply(message: object): string | undefined {
  return printObject(message, true);
}

function printObject(value: object, mayNest: boolean): string | undefined {
  if (!isPlainObject(value)) return undefined;
  let text = '';
  for (const key in value) {
    const member = (value as Readonly<Record<string, unknown>>)[key];
    if (member === undefined) continue;
    const printed = typeof member === 'object' && mayNest ? printNested(member) : printScalar(member);
    if (printed === undefined || !isPlain(key)) return undefined;
    text += `${text === '' ? '{"' : ',"'}${key}":${printed}`;
  }
  return text === '' ? '{}' : `${text}}`;
}

/** Neither a class of its own, whose members may be inherited, nor something that says itself how it is written. */
function isPlainObject(value: object): boolean {
  return (
    Object.getPrototypeOf(value) === Object.prototype && (value as { readonly toJSON?: unknown }).toJSON === undefined
  );
}

function printNested(value: object | null): string | undefined {
  return value === null ? 'null' : printObject(value, false);
}

function printScalar(value: unknown): string | undefined {
  if (typeof value === 'number') return printNumber(value);
  if (typeof value === 'string') return isPlain(value) ? `"${value}"` : undefined;
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  return value === null ? 'null' : undefined;
}

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

/** Whether a text stands in JSON as it is. */
function isPlain(text: string): boolean {
  const { length } = text;
  if (length > MAX_PLAIN_CHARACTERS) return false;
  for (let index = 0; index < length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return false;
  }
  return true;
}
