/** Real processes of the programs: their lines can be awaited, and none of them outlives its test. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { whenTestEnds } from './clean-up.ts';
import { Inbox } from './inbox.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** A server logs it at its start or not, depending on the system. */
const ABOUT_OPEN_FILES = /"limits\.maxConnections is lowered from 20000 /;

/** How a process ended: with a code, or by a signal. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process of a program in `bin/`. */
export class RunningProgram {
  readonly pid: number;
  /** Resolves when the process is gone and all its output has been read. */
  readonly exit: Promise<Exit>;
  readonly #process: ChildProcess;
  readonly #lines = new Inbox<string>();
  readonly #errorLines = new Inbox<string>();
  #output = '';
  #errorOutput = '';

  constructor(script: string, args: readonly string[]) {
    const child = spawn(process.execPath, [script, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
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
    const killWithTests = (): unknown => child.kill('SIGKILL');
    process.once('exit', killWithTests);
    this.exit = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        process.off('exit', killWithTests);
        const end = new Error(`${script} ended (${code ?? signal}): ${this.#output}${this.#errorOutput}`);
        this.#lines.end(end);
        this.#errorLines.end(end);
        resolve({ code, signal });
      });
    });
  }

  /** Everything printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Everything logged or complained about so far. */
  get errorOutput(): string {
    return this.#errorOutput;
  }

  /** The next printed line. */
  nextLine(): Promise<string> {
    return this.#lines.next();
  }

  /** The next line on standard error. */
  nextErrorLine(): Promise<string> {
    return this.#errorLines.next();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Ends it as hard as the system can and waits until it is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exit;
  }
}

/** A server in a process of its own. */
export interface ServerProgram {
  readonly program: RunningProgram;
  readonly port: number;
  /** The line that it printed when it was ready. */
  readonly startLine: string;
}

/** A server that says on which addresses it listens. */
export interface ListeningProgram {
  readonly program: RunningProgram;
  /** The line that it printed when it was ready. */
  readonly startLine: string;
  readonly addresses: readonly string[];
  /** The ports of those addresses that have one, in their order. */
  readonly ports: readonly number[];
}

/** Starts a program; it is killed when the test ends. */
export function startProgram(script: string, ...args: readonly string[]): RunningProgram {
  const program = new RunningProgram(script, args);
  whenTestEnds(() => program.kill());
  return program;
}

/** Starts a server that must end without listening, with that code and that complaint. */
export async function expectStartFails(
  script: 'bin/server.js' | 'bin/glockd.js',
  code: number,
  complaint: RegExp,
  ...args: readonly string[]
): Promise<RunningProgram> {
  const program = startProgram(script, ...args);
  const outcome = await Promise.race([program.exit, program.nextLine().catch(() => program.exit)]);
  expect(outcome, args.join(' ')).to.deep.equal({ code, signal: null });
  expect(program.output).to.equal('');
  expect(program.errorOutput).to.match(complaint);
  return program;
}

/** Starts a server and waits until it listens. */
export async function startListening(
  script: 'bin/server.js' | 'bin/glockd.js',
  ...args: readonly string[]
): Promise<ListeningProgram> {
  const program = startProgram(script, ...args);
  const startLine = await program.nextLine();
  const list = / on (.*?), (?:allowed: |for this machine only )/.exec(startLine)?.[1];
  if (list === undefined) throw new Error(`the server said ${startLine}`);
  const addresses = list.split(', ');
  const ports = addresses.map((address) => Number(/:(\d+)$/.exec(address)?.[1])).filter((port) => port > 0);
  return { program, startLine, addresses, ports };
}

/** Starts `bin/server.js` on a port that the system chooses. */
export async function startServerProgram(...args: readonly string[]): Promise<ServerProgram> {
  const { program, startLine, ports } = await startListening('bin/server.js', '--port', 'auto', ...args);
  return { program, port: ports[0] as number, startLine };
}
