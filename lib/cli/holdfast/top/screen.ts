/** A page of its own on a terminal. What the terminal showed before is there again afterwards, however the program ends. */

import { constants } from 'node:os';
import { SIGNAL_CODE } from '../exit-codes.ts';

/** The alternate screen, without a cursor, and without a new line where one is too long. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const TO_TOP = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const CTRL_C = '\u0003';
const CTRL_Z = '\u001a';
const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What a screen tells. */
export interface ScreenEvents {
  /** A key was pressed, other than Ctrl-C and Ctrl-Z. */
  key(key: string): void;
  /** The page is to be drawn again: the terminal has another size, or the program goes on after Ctrl-Z. */
  changed(): void;
  /** A signal, or Ctrl-C, ends the program with this exit code. */
  ended(exitCode: number): void;
}

export class Screen {
  readonly #events: ScreenEvents;
  #state: 'closed' | 'open' = 'closed';

  constructor(events: ScreenEvents) {
    this.#events = events;
  }

  /** Begins to show the page and to read keys. */
  open(): void {
    this.#enter();
    // Errors that nobody catches end the process: it still exits.
    process.once('exit', this.#leave);
    for (const signal of ENDING_SIGNALS) process.on(signal, this.#signalled);
    process.on('SIGCONT', this.#goOn);
    process.stdout.on('resize', this.#events.changed);
    process.stdin.on('data', this.#read);
  }

  /** Shows lines from the top. */
  draw(lines: readonly string[]): void {
    if (this.#state === 'closed') return;
    const text = lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n');
    process.stdout.write(`${TO_TOP}${text}${CLEAR_BELOW}`);
  }

  /** Leaves the terminal as it was. */
  close(): void {
    this.#leave();
    process.off('exit', this.#leave);
    for (const signal of ENDING_SIGNALS) process.off(signal, this.#signalled);
    process.off('SIGCONT', this.#goOn);
    process.stdout.off('resize', this.#events.changed);
    process.stdin.off('data', this.#read);
    process.stdin.pause();
  }

  #enter(): void {
    this.#state = 'open';
    process.stdout.write(ENTER);
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
  }

  readonly #leave = (): void => {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    process.stdout.write(LEAVE);
  };

  readonly #goOn = (): void => {
    if (this.#state === 'closed') this.#enter();
    this.#events.changed();
  };

  readonly #signalled = (signal: NodeJS.Signals): void => {
    this.#events.ended(SIGNAL_CODE + constants.signals[signal]);
  };

  /** While keys are read one by one, the terminal sends no signals for them. */
  readonly #read = (input: Buffer): void => {
    for (const key of input.toString('utf8')) {
      if (key === CTRL_C) this.#signalled('SIGINT');
      else if (key === CTRL_Z) this.#suspend();
      else this.#events.key(key);
    }
  };

  #suspend(): void {
    this.#leave();
    process.kill(process.pid, 'SIGSTOP');
  }
}
