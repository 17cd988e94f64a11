/** What all commands share that ask a server: one client, and output for people or for programs. */

import type { LockClient } from '../../client/lock-client.ts';
import { HOLDFAST_CODES } from './exit-codes.ts';
import { showText } from './format.ts';
import { connect, type PlaceOptions, placeOf } from './place.ts';

/** The options of a command that asks. */
export interface QueryOptions extends PlaceOptions {
  readonly json?: true;
}

/** Asks a server by a client that is closed afterwards. Rejects as the client does, without trying again. */
export async function ask(
  options: QueryOptions,
  work: (client: LockClient) => Promise<number | undefined>,
): Promise<number> {
  const client = await connect(placeOf(options), { reconnect: false, session: false });
  try {
    return (await work(client)) ?? HOLDFAST_CODES.ok;
  } finally {
    await client.close();
  }
}

/** Prints on standard output. */
export function print(text: string): void {
  process.stdout.write(text);
}

/** Prints each object on a line of its own, as JSON in which no character moves the cursor of a terminal. */
export function printJson(objects: Iterable<object>): void {
  for (const each of objects) print(`${showText(JSON.stringify(each))}\n`);
}
