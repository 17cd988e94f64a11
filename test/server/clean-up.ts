/** Closes what a test left open when it ends, whether it passed or not, the last opened first. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as immediate } from 'node:timers/promises';

const actions: (() => unknown)[] = [];

/** Rejections that nobody handled: they fail the test that ran then. */
const unhandled = new Set<unknown>();
process.on('unhandledRejection', (reason) => unhandled.add(reason));

/** Does something when the running test has ended. */
export function whenTestEnds(action: () => unknown): void {
  actions.push(action);
}

/** A new folder, removed when the test ends. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
  whenTestEnds(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** For `afterEach`: does all of that, and fails if any of it failed or nobody handled a rejection. */
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

/** A new folder for each test of a suite. */
export class TestFolder {
  path = '';

  at(name: string): string {
    return join(this.path, name);
  }

  /** Writes a file of settings and returns its path. */
  writeSettings(settings: object): string {
    const file = this.at('settings.json');
    writeFileSync(file, JSON.stringify(settings));
    return file;
  }
}

/** Makes a folder before each test of a suite, and cleans up after it. */
export function folderForEachTest(): TestFolder {
  const folder = new TestFolder();
  beforeEach(() => {
    folder.path = makeFolder();
  });
  afterEach(endTest);
  return folder;
}
