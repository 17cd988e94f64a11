/** Small file systems that a test can fill or break. Only root can mount them. */

import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, truncateSync, writeSync } from 'node:fs';
import type { Context } from 'mocha';
import { needs } from '../foreign/system-program.ts';
import { makeFolder, whenTestEnds } from '../server/clean-up.ts';

const DISK_BYTES = 16_777_216;

/** Skips the test, and says why, where file systems cannot be mounted: without the rights of root, and in most containers. */
export function needsMounts(test: Context, ...programs: readonly string[]): void {
  needs(test, ...programs);
  const isPossible = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
  if (isPossible && existsSync('/dev/loop-control')) return;
  console.log('      skipped: this process may not mount file systems');
  test.skip();
}

/** Mounts a file system in memory with so many bytes; returns its folder. It is gone when the test ends. */
export function mountMemory(bytes: number): string {
  const folder = makeFolder();
  mount(folder, '-t', 'tmpfs', '-o', `size=${bytes}`, 'none');
  return folder;
}

/** Mounts it again with other options, such as `ro`. */
export function remount(folder: string, options: string): void {
  execFileSync('mount', ['-o', `remount,${options}`, folder]);
}

/** Fills a file system to the last byte; returns the file that takes the room. */
export function fill(folder: string): string {
  const file = `${folder}/filler`;
  const descriptor = openSync(file, 'w');
  for (const bytes of [65_536, 1]) {
    const zeros = Buffer.alloc(bytes, '0');
    try {
      while (writeSync(descriptor, zeros) === bytes);
    } catch {
      // It is full.
    }
  }
  closeSync(descriptor);
  return file;
}

/**
 * A file system on a disk that takes nothing new once `breakDisk` was called: writes go to the cache as before, and syncs
 * fail.
 */
export function mountBreakable(): { readonly folder: string; breakDisk(): void } {
  const below = mountMemory(4_194_304);
  const image = `${below}/image`;
  closeSync(openSync(image, 'w'));
  truncateSync(image, DISK_BYTES);
  execFileSync('mkfs.ext4', ['-q', '-O', '^has_journal', '-E', 'nodiscard', image], { stdio: 'ignore' });
  const folder = makeFolder();
  mount(folder, '-o', 'loop', image);
  return {
    folder,
    breakDisk: () => {
      // Takes away the room that blocks written before have, too.
      execFileSync('fallocate', ['--punch-hole', '--offset', '0', '--length', `${DISK_BYTES}`, image]);
      fill(below);
    },
  };
}

function mount(folder: string, ...args: readonly string[]): void {
  execFileSync('mount', [...args, folder]);
  // Lazily, in case something still has a file open in it.
  whenTestEnds(() => execFileSync('umount', ['-l', folder]));
}
