/** Processes that end with their test. */

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Context } from 'mocha';
import { whenTestEnds } from '../server/clean-up.ts';
import { Inbox } from '../server/inbox.ts';

const ROOT: string = fileURLToPath(new URL('../../../', import.meta.url));

/** A server logs it at its start or not, depending on the system. */
const ABOUT_OPEN_FILES = /"limits\.maxConnections is lowered from 20000 /;

/** The path of a file beside the tests that is not compiled. */
export function beside(file: string): string {
  return `${ROOT}test/foreign/${file}`;
}

/** Skips the test, and says why, when a program is missing. In continuous integration it fails instead. */
export function needs(test: Context, ...programs: readonly string[]): void {
  for (const program of programs) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status === 0) continue;
    if (process.env.CI !== undefined && process.env.CI !== '') throw new Error(`${program} is not installed`);
    console.log(`      skipped: ${program} is not installed`);
    test.skip();
  }
}

/** How a process ended: with a code, or by a signal. */
interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process of any program, in a process group of its own, so that its children end with it. */
export class SystemProgram {
  readonly pid: number;
  /** Resolves when the process is gone and its output has been read. */
  readonly exit: Promise<Exit>;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines = new Inbox<string>();
  readonly #errorLines = new Inbox<string>();
  #output = '';
  #errorOutput = '';

  /** Starts it in the folder of the package; it is killed when the test ends. */
  constructor(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    const env = { ...process.env, ...environment };
    const child = spawn(command, args, { cwd: ROOT, detached: true, stdio: 'pipe', env });
    this.#process = child;
    this.pid = child.pid as number;
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#output += `${line}\n`;
      this.#lines.push(line);
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (ABOUT_OPEN_FILES.test(line)) return;
      this.#errorOutput += `${line}\n`;
      this.#errorLines.push(line);
    });
    // Writing to a process that has ended fails; `exit` reports its end.
    child.stdin.on('error', () => {});
    const killWithTests = (): void => this.#killGroup();
    process.once('exit', killWithTests);
    this.exit = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        process.off('exit', killWithTests);
        const end = new Error(`${command} ${args[0]} ended (${code ?? signal}): ${this.#output}${this.#errorOutput}`);
        this.#lines.end(end);
        this.#errorLines.end(end);
        resolve({ code, signal });
      });
    });
    whenTestEnds(() => this.kill());
  }

  get output(): string {
    return this.#output;
  }

  get errorOutput(): string {
    return this.#errorOutput;
  }

  say(line: string): void {
    this.#process.stdin.write(`${line}\n`);
  }

  nextLine(): Promise<string> {
    return this.#lines.next();
  }

  nextErrorLine(): Promise<string> {
    return this.#errorLines.next();
  }

  /** Sends a line and returns the next printed one. */
  ask(line: string): Promise<string> {
    this.say(line);
    return this.nextLine();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Kills it and its children, and waits until they are gone. */
  async kill(): Promise<void> {
    this.#killGroup();
    await this.exit;
  }

  #killGroup(): void {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // The whole group has ended.
    }
  }
}
