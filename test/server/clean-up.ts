/** Closes everything that a test left open, when it passes or fails. What was opened last is closed first. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as immediate } from 'node:timers/promises';

const actions: (() => unknown)[] = [];

/** Unhandled rejections fail the test that runs when they come. */
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

/** For `afterEach`: runs these actions, and fails if one of them failed or a rejection was not handled. */
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
class TestFolder {
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
