/** The command that runs while the lock is held. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { pause } from '../../../message/timeout.ts';
import { HOLDFAST_CODES, SIGNAL_CODE } from '../exit-codes.ts';
import { Failure } from '../failure.ts';

/** How a command is started. */
export interface ChildOptions {
  readonly command: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** What it inherits beside its standard input and output. */
  readonly anchor: Socket | undefined;
  /** Whether it leads a group of processes, which gets its signals. Then it has no terminal. */
  readonly leadsGroup: boolean;
}

/** A running command. */
export class Child {
  readonly #process: ChildProcess;
  readonly #leadsGroup: boolean;
  /** Resolves to its exit code, or 128 and the number of the signal that ended it. */
  readonly exited: Promise<number>;

  /** Resolves once the command runs. Rejects with a `Failure` of 126 or 127 when it cannot be executed. */
  static async start(options: ChildOptions): Promise<Child> {
    const child = new Child(options);
    try {
      await once(child.#process, 'spawn');
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const isMissing = code === 'ENOENT';
      const exitCode = isMissing ? HOLDFAST_CODES.notFound : HOLDFAST_CODES.cannotExecute;
      throw new Failure(exitCode, isMissing ? `${options.command[0]}: command not found` : message);
    } finally {
      // The command has its own copy, and its end is to be the end of the connection.
      options.anchor?.destroy();
    }
    return child;
  }

  private constructor({ command, environment, anchor, leadsGroup }: ChildOptions) {
    const [file = '', ...parameters] = command;
    this.#leadsGroup = leadsGroup;
    this.#process = spawn(file, parameters, {
      stdio: ['inherit', 'inherit', 'inherit', ...(anchor === undefined ? [] : [anchor])],
      env: environment,
      detached: leadsGroup,
    });
    this.exited = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        resolve(code ?? SIGNAL_CODE + constants.signals[signal as NodeJS.Signals]);
      });
    });
  }

  /** Sends a signal to its group, or to itself where it leads none. */
  signal(signal: NodeJS.Signals): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      process.kill(this.#leadsGroup ? -pid : pid, signal);
    } catch {
      // It is gone.
    }
  }

  /** Has it end by TERM, and by KILL after so many milliseconds. Resolves once it is gone. */
  async stop(killAfterMs: number): Promise<void> {
    const gone = new AbortController();
    void this.exited.then(() => gone.abort());
    if (killAfterMs > 0) {
      this.signal('SIGTERM');
      // A stopped process does not hear of it otherwise.
      this.signal('SIGCONT');
      await pause(killAfterMs, gone.signal);
    }
    // What it has started may live on in its group.
    if (this.#leadsGroup || !gone.signal.aborted) this.signal('SIGKILL');
    await this.exited;
  }
}
