/** A terminal for programs that are at one: a window of tmux, which nobody sees. Ends with its test. */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { makeFolder, whenTestEnds } from '../../server/clean-up.ts';
import { until } from '../../server/raw-client.ts';

/** Its size, in characters. */
interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Runs one command line, and shows what a person would see. */
export class Terminal {
  readonly #socket = join(makeFolder(), 'tmux');
  readonly #size: TerminalSize;

  constructor(size: TerminalSize) {
    this.#size = size;
  }

  /** Begins with a command line of sh. */
  run(commandLine: string): void {
    const { columns, rows } = this.#size;
    this.#tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), commandLine);
    whenTestEnds(() => this.#tmux('kill-server'));
  }

  /** Presses a key, by the name that tmux has for it: `C-c`. */
  press(key: string): void {
    this.#tmux('send-keys', key);
  }

  type(text: string): void {
    this.#tmux('send-keys', '-l', text);
  }

  /** The lines that it shows, without empty ones at either end. */
  get shown(): string {
    return this.#tmux('capture-pane', '-p', '-J').trim();
  }

  async untilShown(text: string): Promise<void> {
    await until(async () => Promise.resolve(this.shown.includes(text)));
  }

  /** What programs have asked of it. */
  get modes(): { readonly isAlternate: boolean; readonly hasCursor: boolean; readonly wraps: boolean } {
    const flags = this.#tmux('display', '-p', '#{alternate_on} #{cursor_flag} #{wrap_flag}').trim().split(' ');
    const [isAlternate = false, hasCursor = false, wraps = false] = flags.map((flag) => flag === '1');
    return { isAlternate, hasCursor, wraps };
  }

  #tmux(...args: readonly string[]): string {
    return execFileSync('tmux', ['-S', this.#socket, ...args], { encoding: 'utf8' });
  }
}
