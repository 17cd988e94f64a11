/** Gives files to users and groups. */

import { spawnSync } from 'node:child_process';
import { lchownSync } from 'node:fs';

/** To `lchown`: no change. */
const SAME = -1;

/**
 * Gives a file away; what is left out stays. Names are looked up by the program `chown`, since only the system knows all users and groups;
 * numbers need no program.
 * @throws Error that names the owner and the group when there are none of that name, or when this process may not do it.
 */
export function giveFile(path: string, owner: string | undefined, group: string | undefined): void {
  if (owner === undefined && group === undefined) return;
  try {
    if (isNumber(owner) && isNumber(group)) lchownSync(path, Number(owner ?? SAME), Number(group ?? SAME));
    else runChown(path, `${owner ?? ''}${group === undefined ? '' : `:${group}`}`);
  } catch (error) {
    const wanted = [
      ...(owner === undefined ? [] : [`owner "${owner}"`]),
      ...(group === undefined ? [] : [`group "${group}"`]),
    ];
    throw new Error(`the file cannot have the ${wanted.join(' and the ')}: ${(error as Error).message}`);
  }
}

function isNumber(text: string | undefined): boolean {
  return text === undefined || /^\d+$/.test(text);
}

function runChown(path: string, owners: string): void {
  const { error, status, stderr } = spawnSync('chown', ['-h', '--', owners, path], { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(stderr.trim().replaceAll(`'${path}'`, 'it'));
}
