/** A logger that keeps its lines. */

import type { Logger } from '../../lib/message/logger.ts';

/** One call of the logger. */
interface LogEntry {
  readonly level: keyof Logger;
  readonly details: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export class RecordingLogger implements Logger {
  readonly entries: LogEntry[] = [];

  debug(details: object, message: string): void {
    this.#add('debug', details, message);
  }

  info(details: object, message: string): void {
    this.#add('info', details, message);
  }

  warn(details: object, message: string): void {
    this.#add('warn', details, message);
  }

  error(details: object, message: string): void {
    this.#add('error', details, message);
  }

  at(level: keyof Logger): LogEntry[] {
    return this.entries.filter((entry) => entry.level === level);
  }

  get warnings(): string[] {
    return this.at('warn').map(({ message }) => message);
  }

  /** The messages that a server shows by default. */
  get shown(): string[] {
    return this.entries.filter(({ level }) => level !== 'debug').map(({ message }) => message);
  }

  #add(level: keyof Logger, details: object, message: string): void {
    this.entries.push({ level, details: details as LogEntry['details'], message });
  }
}
