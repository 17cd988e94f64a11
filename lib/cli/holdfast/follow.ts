/** What the commands share that go on until they are ended: a client that connects again when its connection is lost. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { LockClient } from '../../client/lock-client.ts';
import { LockError } from '../../client/lock-error.ts';
import { HOLDFAST_CODES } from './exit-codes.ts';
import { exitCodeOf } from './failure.ts';
import { showText } from './format.ts';
import { connect, placeOf } from './place.ts';
import type { QueryOptions } from './query.ts';

/**
 * Works with a client that connects again when its connection is lost, and closes it afterwards. `note` is told when it is lost and when
 * there is another. Rejects as `LockClient.connect` does, or as the work does.
 */
export async function follow(
  options: QueryOptions,
  note: (text: string) => void,
  work: (client: LockClient) => Promise<number>,
): Promise<number> {
  const client = await connect(placeOf(options), { session: false, whileDisconnected: 'fail' });
  client.on('disconnect', (error) => {
    note(`the connection was lost${error === undefined ? '' : `: ${error.message}`}; connecting again`);
  });
  client.on('connect', () => note('connected again'));
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/**
 * Does something every so many milliseconds, until the signal aborts if there is one. A round without a connection is left out. Rejects as the
 * work does otherwise.
 */
export async function repeat(everyMs: number, work: () => Promise<void>, signal?: AbortSignal): Promise<void> {
  while (signal?.aborted !== true) {
    await work().catch((error: unknown) => {
      if (!isWithoutServer(error) && signal?.aborted !== true) throw error;
    });
    // Only the signal has it reject.
    await sleep(everyMs, undefined, { signal }).catch(() => {});
  }
}

/** Whether only the connection is missing, for now; a server that does not know a command never will. */
export function isWithoutServer(error: unknown): boolean {
  const isOtherServer = error instanceof LockError && error.code === 'protocol';
  return exitCodeOf(error) === HOLDFAST_CODES.noServer && !isOtherServer;
}

/** Says something on standard error. */
export function noteOnStandardError(text: string): void {
  process.stderr.write(`holdfast: ${showText(text)}\n`);
}
