/** The value of a text. */

import { RequestError } from './errors.ts';

/** The value of a text, undefined for a blank one. */
export function parse(text: string): unknown | RequestError | undefined {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (text.trim() === '') return undefined;
    return new RequestError('invalid', `not JSON: ${(error as Error).message}`);
  }
}
