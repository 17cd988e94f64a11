/** How the programs end. The documents repeat this. */

/** The exit codes of the server program. */
export const EXIT_CODES = {
  /** Stopped as told. */
  ok: 0,
  /** Something went wrong that should not have. */
  failure: 1,
  /** The command line or the settings are wrong. */
  usage: 2,
  /** The address cannot be listened on. */
  cannotListen: 3,
  /** The pidfile cannot be written, or another server that is running has it. */
  pidfile: 4,
} as const;

/** A second signal ends a program at once, with this plus the signal's number, as shells have it. */
export const SIGNAL_EXIT_CODE = 128;
