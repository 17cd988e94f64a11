/** Plants a mistake into a copy of the build. */

import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PlantedBug, PlantedChange } from './planted-bug.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const COPIED: readonly string[] = ['dist/lib', 'dist/bench', 'bin', 'config', 'package.json'];

/** The text of the built file with the mistake in it. @throws Error when the place for it is not there, or not alone. */
export function withBug({ file, find, replace }: PlantedChange): string {
  const parts = readFileSync(join(ROOT, 'dist/lib', file), 'utf8').split(find);
  if (parts.length !== 2) {
    throw new Error(`dist/lib/${file} has ${JSON.stringify(find)} ${parts.length - 1} times; expected once`);
  }
  return parts.join(replace);
}

export function changesOf(bug: PlantedBug): readonly PlantedChange[] {
  return bug.also === undefined ? [bug] : [bug, bug.also];
}

/** Returns the folder of a copy of the package with the mistake in it. */
export function plant(bug: PlantedBug): string {
  const changes = changesOf(bug).map((change) => ({ file: change.file, text: withBug(change) }));
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bug-'));
  for (const part of COPIED) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const { file, text } of changes) writeFileSync(join(folder, 'dist/lib', file), text);
  return folder;
}
