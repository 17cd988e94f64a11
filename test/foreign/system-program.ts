/** Programs of the system that tests run: whether they are there, and processes that do not outlive their test. */

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Context } from 'mocha';
import { whenTestEnds } from '../server/clean-up.ts';
import { Inbox } from '../server/inbox.ts';

const FOLDER: string = fileURLToPath(new URL('../../../test/foreign/', import.meta.url));

/** The path of a file that lies beside the tests and is not compiled. */
export function beside(file: string): string {
  return FOLDER + file;
}

/** Skips the test, with a line that says why, when one of the programs is missing. Continuous integration has all. */
export function needs(test: Context, ...programs: readonly string[]): void {
  for (const program of programs) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status === 0) continue;
    if (process.env.CI !== undefined && process.env.CI !== '') throw new Error(`${program} is not installed`);
    console.log(`      skipped: ${program} is not installed`);
    test.skip();
  }
}

/** A process of a program of the system, in a process group of its own, so that its children end with it. */
export class SystemProgram {
  /** Resolves to the exit code when the process is gone and its output has been read; null after a signal. */
  readonly exit: Promise<number | null>;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines = new Inbox<string>();
  #output = '';
  #errorOutput = '';

  /** Starts it; it is killed when the test ends. */
  constructor(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    const child = spawn(command, args, { detached: true, stdio: 'pipe', env: { ...process.env, ...environment } });
    this.#process = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#output += `${line}\n`;
      this.#lines.push(line);
    });
    child.stderr.on('data', (bytes) => {
      this.#errorOutput += bytes;
    });
    // A process that is gone has no use for what it is sent; `exit` tells of its end.
    child.stdin.on('error', () => {});
    const killWithTests = (): void => this.#killGroup();
    process.once('exit', killWithTests);
    this.exit = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        process.off('exit', killWithTests);
        this.#lines.end(new Error(`${command} ended (${code ?? signal}): ${this.#output}${this.#errorOutput}`));
        resolve(code);
      });
    });
    whenTestEnds(() => this.kill());
  }

  /** Everything printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Everything complained about so far. */
  get errorOutput(): string {
    return this.#errorOutput;
  }

  /** Sends a line to its standard input. */
  say(line: string): void {
    this.#process.stdin.write(`${line}\n`);
  }

  /** The next printed line. */
  nextLine(): Promise<string> {
    return this.#lines.next();
  }

  /** Sends a line and returns the next printed one. */
  ask(line: string): Promise<string> {
    this.say(line);
    return this.nextLine();
  }

  /** Ends it and its children as hard as the system can and waits until they are gone. */
  async kill(): Promise<void> {
    this.#killGroup();
    await this.exit;
  }

  #killGroup(): void {
    try {
      process.kill(-(this.#process.pid as number), 'SIGKILL');
    } catch {
      // Nobody of the group is left.
    }
  }
}
