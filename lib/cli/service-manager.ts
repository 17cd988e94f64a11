/** Tells systemd how the server is doing, where systemd started it with `Type=notify`. */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import type { Logger } from '../message/logger.ts';

/**
 * Node has no Unix datagram sockets, so systemd's own program sends each message. A shell starts it, one after the other, since a fork of
 * this process would stop it for 50 ms and more per gigabyte. The shell ignores signals to the whole unit, and ends with its input.
 */
const SENDER = 'trap "" HUP INT TERM USR2; while read -r message; do systemd-notify "--pid=$0" "$message"; echo; done';
/** systemd gives up after the whole time, so half of it leaves room for a late message. */
const SIGNS_OF_LIFE_PER_TIMEOUT = 2;
const MICROSECONDS_A_MS = 1_000;
/** Node's timers take no longer time. */
const MAX_TIMER_MS = 2_147_483_647;

/** Of each of them only the newest message waits. */
type Topic = 'state' | 'status' | 'watchdog';

/** The shell that sends, and whether it has not yet sent what it was given last. */
interface Sender {
  readonly input: Writable;
  isBusy: boolean;
}

/**
 * What systemd is told. Does nothing when `NOTIFY_SOCKET` is not set in the environment. A message that cannot be sent costs one line of the
 * log, the first time.
 */
export class ServiceManager {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #logger: Logger;
  readonly #waiting = new Map<Topic, string>();
  #sender: Sender | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #hasComplained = false;

  constructor(environment: NodeJS.ProcessEnv, logger: Logger) {
    this.#environment = environment;
    this.#logger = logger;
  }

  /** The server serves; `status` is the line that `systemctl status` shows. From now on the watchdog gets its signs of life. */
  ready(status: string): void {
    // First, so that it is there when `systemctl start` ends.
    this.#tell('status', `STATUS=${status.replaceAll(/\s+/g, ' ')}`);
    this.#tell('state', 'READY=1');
    this.#feedWatchdog();
  }

  /** Runs a function that reads settings or files again. */
  reload(act: () => void): void {
    this.#tell('state', 'RELOADING=1');
    act();
    this.#tell('state', 'READY=1');
  }

  /** The server drains. */
  stopping(): void {
    this.#tell('state', 'STOPPING=1');
  }

  /** Resolves at once; what was not sent by then is not sent. */
  async close(): Promise<void> {
    clearInterval(this.#watchdog);
    this.#waiting.clear();
    this.#sender?.input.end();
  }

  /** A timer of the event loop that serves, so a server that hangs gives no sign of life. */
  #feedWatchdog(): void {
    const timeoutMs = this.#watchdogMs();
    if (timeoutMs === undefined) return;
    const intervalMs = Math.min(timeoutMs / SIGNS_OF_LIFE_PER_TIMEOUT, MAX_TIMER_MS);
    this.#watchdog = setInterval(() => this.#tell('watchdog', 'WATCHDOG=1'), intervalMs);
  }

  /** The time-out of the watchdog in milliseconds; undefined if there is none, or if it watches another process. */
  #watchdogMs(): number | undefined {
    const { WATCHDOG_USEC: microseconds, WATCHDOG_PID: pid } = this.#environment;
    if (microseconds === undefined || (pid !== undefined && pid !== String(process.pid))) return undefined;
    if (/^[1-9]\d*$/.test(microseconds)) return Number(microseconds) / MICROSECONDS_A_MS;
    const message = `WATCHDOG_USEC is ${JSON.stringify(microseconds)}, but must be a number of microseconds`;
    this.#logger.warn({ watchdog: microseconds }, `${message}; the watchdog of systemd gets no sign of life`);
    return undefined;
  }

  #tell(topic: Topic, message: string): void {
    const { NOTIFY_SOCKET: socket = '' } = this.#environment;
    if (socket === '') return;
    this.#waiting.set(topic, message);
    this.#sendNext();
  }

  #sendNext(): void {
    const [next] = this.#waiting;
    if (next === undefined || this.#sender?.isBusy) return;
    this.#sender ??= this.#startSender();
    if (this.#sender === undefined) return;
    const [topic, message] = next;
    this.#waiting.delete(topic);
    this.#sender.isBusy = true;
    this.#sender.input.write(`${message}\n`);
  }

  /** Undefined where no process can be started. One that ends is started again for the next message. */
  #startSender(): Sender | undefined {
    try {
      const shell: ChildProcess = spawn('sh', ['-c', SENDER, String(process.pid)], { env: this.#environment });
      shell.on('error', ({ message }) => this.#complain(message));
      const { stdin, stdout, stderr } = shell;
      // Without free files there are none.
      if (!stdin || !stdout || !stderr) return undefined;
      const sender: Sender = { input: stdin, isBusy: false };
      stdin.on('error', ({ message }) => this.#complain(message));
      stdout.on('data', () => this.#sent(sender));
      stderr.on('data', (text: Buffer) => this.#complain(String(text).trim()));
      shell.on('close', () => this.#lost(sender));
      return sender;
    } catch (error) {
      this.#complain((error as Error).message);
      return undefined;
    }
  }

  #sent(sender: Sender): void {
    sender.isBusy = false;
    this.#sendNext();
  }

  #lost(sender: Sender): void {
    if (this.#sender === sender) this.#sender = undefined;
  }

  #complain(why: string): void {
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    this.#logger.warn({ why }, 'systemd could not be told how the server is doing');
  }
}
