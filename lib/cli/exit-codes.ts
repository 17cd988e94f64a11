/** How the programs end. Keep the documents in step with this. */

/** The exit codes of the server program. */
export const EXIT_CODES = {
  /** Stopped as told. */
  ok: 0,
  /** An unexpected failure, or a clock where tokens cannot begin. */
  failure: 1,
  /** The command line or the settings are wrong. */
  usage: 2,
  /** The server cannot listen on an address. */
  cannotListen: 3,
  /** The pidfile cannot be written, or another running server has it. */
  pidfile: 4,
  /** The state directory cannot be used: another running server has it, it is damaged, or cannot be written. */
  stateDirectory: 5,
  /** The disk under the state directory did not confirm a write, so nobody knows the content that a restart would find. */
  stateLost: 6,
  /** The server may not join its cluster: etcd refuses it, the settings differ from those of the cluster, or a package is missing. */
  cluster: 7,
} as const;

/** A second signal ends a program at once with this plus the signal's number, as in shells. */
export const SIGNAL_EXIT_CODE = 128;
