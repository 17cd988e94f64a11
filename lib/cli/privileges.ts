/** Gives up the rights of the user who started the server. */

import { lchownSync } from 'node:fs';
import type { Settings } from './settings.ts';

/** Who to become; empty for no change. */
type Account = Pick<Settings, 'user' | 'group'>;

/** The file of a Unix socket, and whom its settings give it to. */
export interface SocketFile {
  readonly path: string;
  readonly owner?: string | undefined;
  readonly group?: string | undefined;
}

/** To `lchown`: no change. */
const SAME = -1;

/**
 * Becomes the user and the group for good. Changes the group first, since the user may not be allowed to. Gives the files
 * of Unix sockets that nobody else was given to away before changing the user, who could not.
 * @throws Error that names the setting.
 */
export function dropPrivileges({ user, group }: Account, socketFiles: readonly SocketFile[]): void {
  if (group !== '') {
    become('group', group, (id) => {
      process.setgroups?.([id]);
      process.setgid?.(id);
    });
  }
  if (user !== '' || group !== '') giveAway(user, socketFiles);
  if (user !== '') become('user', user, (id) => process.setuid?.(id));
}

/** Runs a function as the user and the group, so that they own the files that it makes. */
export async function withAccount<Result>({ user, group }: Account, act: () => Promise<Result>): Promise<Result> {
  // A sandbox may forbid even to become who one is.
  if (user === '' && group === '') return await act();
  const [ownUser, ownGroup] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  try {
    if (group !== '') become('group', group, (id) => process.setegid?.(id));
    if (user !== '') become('user', user, (id) => process.seteuid?.(id));
    return await act();
  } finally {
    process.seteuid?.(ownUser);
    process.setegid?.(ownGroup);
  }
}

/**
 * Gives the files to the user, and to the group that this process has by now. Becomes the user for a moment, since only the
 * system knows the number of a name.
 */
function giveAway(user: string, files: readonly SocketFile[]): void {
  const own = process.geteuid?.() ?? 0;
  if (user !== '') become('user', user, (id) => process.seteuid?.(id));
  const uid = process.geteuid?.() ?? own;
  process.seteuid?.(own);
  // Not through a link: a user who may write the folder can put one there meanwhile.
  const gid = process.getgid?.() ?? 0;
  for (const { path, owner, group } of files) lchownSync(path, owner ? SAME : uid, group ? SAME : gid);
}

function become(setting: string, name: string, change: (id: string | number) => void): void {
  try {
    change(nameOrNumber(name));
  } catch (error) {
    throw new Error(`settings.${setting} is ${JSON.stringify(name)}: ${(error as Error).message}`);
  }
}

function nameOrNumber(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text;
}
