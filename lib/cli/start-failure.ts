/** How a program ends that could not start. Loads nothing of the server, so that a wrong command line is told at once. */

import { SettingsError } from './settings.ts';

/** The exit code for each reason why a program could not start. */
export interface StartFailureCodes {
  readonly usage: number;
  readonly pidfile: number;
  readonly pidfileTaken: number;
  readonly cannotListen: number;
}

/** The start failed. Has a message for people and the exit code. */
export class StartFailure extends Error {
  override readonly name: string = 'StartFailure';
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs a step of the start. @throws StartFailure with this code when it fails. */
export function failWith<Result>(exitCode: number, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    throw new StartFailure(exitCode, (error as Error).message);
  }
}

/** Prints on standard error why a program does not start, and ends it. */
export function exitOnFailure(error: unknown, usageCode: number): never {
  if (error instanceof StartFailure || error instanceof SettingsError) {
    process.stderr.write(`holdfast: ${error.message}\n`);
    process.exit(error instanceof StartFailure ? error.exitCode : usageCode);
  }
  throw error;
}
