/** What tests leave open is closed when they end, whether they passed or not, the last opened first. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as immediate } from 'node:timers/promises';

const actions: (() => unknown)[] = [];

/** A promise that rejects with nobody to look is a fault, of whatever ran when it happened. */
const unhandled = new Set<unknown>();
process.on('unhandledRejection', (reason) => unhandled.add(reason));

/** Something to do when the running test has ended. */
export function whenTestEnds(action: () => unknown): void {
  actions.push(action);
}

/** A new folder, removed when the test ends. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
  whenTestEnds(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** For `afterEach`: does all of it, and fails if any of it failed or a rejection was left to nobody. */
export async function endTest(): Promise<void> {
  const errors: unknown[] = [];
  for (let action = actions.pop(); action !== undefined; action = actions.pop()) {
    try {
      await action();
    } catch (error) {
      errors.push(error);
    }
  }
  // Rejections are reported when the turn in which they happened is over.
  await immediate();
  errors.push(...unhandled);
  unhandled.clear();
  if (errors.length > 0) throw new AggregateError(errors, `after the test: ${errors.map(String).join('; ')}`);
}
