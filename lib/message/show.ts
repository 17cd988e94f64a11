/** Values in messages for people. */

const MAX_SHOWN_CHARACTERS = 80;

/**
 * A value as it can be shown in a message, cut short when it is long. JSON has rounded a number beyond 2^53, so its digits are
 * not shown.
 */
export function show(value: unknown): string {
  const isRounded = typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER;
  const text = isRounded ? 'a number beyond 2^53' : stringify(value);
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}...` : text;
}

/** A value of any kind, for a message: functions and objects by their kind only. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return show(value);
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** JSON that is nested too deeply for the stack can be read, but not written. */
function stringify(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Array.isArray(value) ? '[...]' : '{...}';
  }
}
