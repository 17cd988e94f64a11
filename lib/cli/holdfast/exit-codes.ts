/** How `holdfast` ends, by the codes of sysexits.h. Keep the documents in step with this. */

/** The exit codes of `holdfast`. With `run`, further ones are those of the command. */
export const HOLDFAST_CODES = {
  ok: 0,
  /** What was asked about is not there: no such lock, or no such client. */
  nothing: 1,
  /** The command line is wrong. */
  usage: 64,
  /** No server could be reached, or what answers is none. */
  noServer: 69,
  /** An unexpected failure. */
  failure: 70,
  /** The lock was not granted. */
  notGranted: 75,
  /** The lock was lost, and the command was stopped. */
  lost: 76,
  /** The server does not allow it. */
  denied: 77,
  /** The command cannot be executed. */
  cannotExecute: 126,
  /** There is no such command. */
  notFound: 127,
} as const;

/** A program that a signal ended has this plus the signal's number, as in shells. */
export const SIGNAL_CODE = 128;
