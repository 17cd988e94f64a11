/**
 * The resources that the locks of the soak guard: folders, in which each visitor has a file. A killed process leaves its file
 * behind, so a file counts only while its process lives.
 */

import { appendFileSync, closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** How a visitor holds the lock. */
export interface Entry {
  readonly mode: 'exclusive' | 'shared' | 'permit';
  /** Of a permit: how many visitors there may be at most. */
  readonly limit: number;
  readonly token: number;
}

/** One guarded folder. */
export class SoakResource {
  readonly #folder: string;
  readonly #tokens: string;

  /** Whether there is such a process. */
  static isAlive(this: void, pid: number): boolean {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  constructor(folder: string, name: string) {
    this.#folder = join(folder, name);
    this.#tokens = join(folder, `${name}.tokens`);
    mkdirSync(this.#folder, { recursive: true });
    closeSync(openSync(this.#tokens, 'a'));
  }

  /** Enters, and returns the violation if there is one. It is synchronous, so nothing else of this process comes in between. */
  enter(flow: string, entry: Entry): string | undefined {
    const file = this.#file(flow, entry);
    closeSync(openSync(join(this.#folder, file), 'wx'));
    const others = this.#present().filter((other) => other !== file);
    return this.#conflict(file, others, entry) ?? (entry.mode === 'exclusive' ? this.#fence(entry.token) : undefined);
  }

  leave(flow: string, entry: Entry): void {
    rmSync(join(this.#folder, this.#file(flow, entry)));
  }

  #file(flow: string, { mode, token }: Entry): string {
    return `${mode}-${process.pid}-${flow}-${token}`;
  }

  /** The files of living processes. Removes the others. */
  #present(): string[] {
    return readdirSync(this.#folder).filter((file) => {
      if (SoakResource.isAlive(Number(file.split('-')[1]))) return true;
      rmSync(join(this.#folder, file), { force: true });
      return false;
    });
  }

  #conflict(file: string, others: readonly string[], { mode, limit }: Entry): string | undefined {
    const of = (wanted: string): string[] => others.filter((other) => other.startsWith(`${wanted}-`));
    const inside = `inside with ${file}`;
    if (mode === 'permit') {
      const permits = of('permit');
      return permits.length < limit ? undefined : `${permits.join(', ')} ${inside}, limit ${limit}`;
    }
    const against = mode === 'exclusive' ? [...of('exclusive'), ...of('shared')] : of('exclusive');
    return against.length === 0 ? undefined : `${against.join(', ')} ${inside}`;
  }

  /** Tokens must grow: a smaller one belongs to a holder that lost the lock. */
  #fence(token: number): string | undefined {
    const tokens = readFileSync(this.#tokens, 'latin1');
    const last = Number(tokens.slice(tokens.lastIndexOf('\n', tokens.length - 2) + 1) || 0);
    appendFileSync(this.#tokens, `${token}\n`);
    return token > last ? undefined : `token ${token} came after ${last} in ${this.#folder}`;
  }
}
