/** Signals to this program: before the command runs they end the wait, then they are the command's. */

import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { SIGNAL_CODE } from '../exit-codes.ts';

/** Those that end a program that does nothing about them. */
const ENDING = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGALRM'] as const;
/** A terminal sends these to all processes in front of it, so the command has them already. */
const OF_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];

/** Takes the signals from the moment it is made. */
export class Signals {
  readonly #stop = new AbortController();
  /** Whether a terminal controls this program: its Ctrl-C and Ctrl-Z go to all processes of its group. */
  readonly hasTerminal: boolean = hasTerminal();
  /** The first that came before there was a receiver. */
  #early: NodeJS.Signals | undefined;
  #receiver: ((signal: NodeJS.Signals) => void) | undefined;

  constructor() {
    for (const signal of ENDING) process.on(signal, () => this.#take(signal));
    process.on('SIGCONT', () => this.#receiver?.('SIGCONT'));
  }

  /** Aborts at the first signal that came before there was a receiver, with the exit code as its reason. */
  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /** From now on the signals are passed on, but for those that a terminal sends to all. So is one that came while the command started. */
  passTo(receiver: (signal: NodeJS.Signals) => void): void {
    this.#receiver = receiver;
    if (this.#early !== undefined) receiver(this.#early);
  }

  #take(signal: NodeJS.Signals): void {
    if (this.#receiver === undefined) {
      this.#early ??= signal;
      this.#stop.abort(SIGNAL_CODE + constants.signals[signal]);
    } else if (!this.hasTerminal || !OF_TERMINAL.includes(signal)) {
      this.#receiver(signal);
    }
  }
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
