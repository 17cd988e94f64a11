/** The port to whatever must outlive the server's process: tokens, sessions that hold something, and a planned stop. */

/** What a server keeps beyond its locks. */
export interface Ledger {
  /** Names the series of the tokens, a UUID. Tokens compare only within one lineage. */
  readonly lineage: string;
  /** Whether all this outlives the process. */
  readonly isDurable: boolean;
  readonly tokens: TokenSupply;
  readonly sessions: SessionList;
  readonly savedStop: SavedStop;
  /**
   * C3, only where several servers share the ledger: resolves once it has said, after this call, that this server still leads them. If it
   * says otherwise, whoever opened the ledger hears of that, and this rejects or never settles.
   */
  confirmLead?(): Promise<void>;
  /** Waits for what is being written, then lets another server have the ledger. Nothing may be asked for afterwards. */
  close(): Promise<void>;
}

/** Gives fencing tokens, each greater than all that this and earlier runs gave. */
export interface TokenSupply {
  /** Where this run began: all of its tokens are greater, and all of earlier runs are not. */
  readonly begin: number;
  /** The greatest token so far, `begin` before the first. */
  readonly last: number;
  /** How many tokens can be given before more must be reserved. */
  readonly left: number;
  /** Whether that many tokens can be given now. If not, `onRefill` tells when to ask again. */
  has(count: number): boolean;
  /** The next token. @throws RangeError when `has(1)` is false. */
  next(): number;
  /**
   * Makes all further tokens greater than this one, which an earlier run gave. Resolves once that is recorded. Rejects with
   * a RangeError when no run can have given such a token.
   */
  raiseTo(token: number): Promise<void>;
  /** Sets whom to call when there are tokens again after `has` was false. */
  onRefill(callback: () => void): void;
}

/** A session as the next run must know it. */
export interface SessionRecord {
  readonly id: string;
  /** A hash of its secret, as text. */
  readonly secretHash: string;
  /** How long it may be away after a start. */
  readonly timeoutMs: number;
}

/** A hold of a session that has ended, and how. */
export interface LossRecord {
  readonly token: number;
  readonly reason: string;
}

/** A session that an earlier run has left. */
export interface EarlierSession extends SessionRecord {
  /** What it has lost although its client may not know. */
  readonly losses?: readonly LossRecord[];
}

/** The sessions that hold something, or once did. */
export interface SessionList {
  /** How many are on the list, or about to be. */
  readonly count: number;
  /** The sessions that had not ended when the server started. They stay on the list until `end`. */
  readonly atStart: readonly EarlierSession[];
  /** C2: how much longer than its time-out each of them is awaited, because another server may still believe that it leads; 0 if none is given. */
  readonly extraWaitMs?: number;
  /**
   * Adds a session. Its first grant may be confirmed once this resolves, or at once where it is undefined. Rejects when the
   * session could not be recorded: then the grant must be refused. It may be added again later.
   */
  add(session: SessionRecord): Promise<void> | undefined;
  /**
   * Ends a session. What it held may be granted to others once this resolves, or at once where it is undefined. Never
   * rejects: it tries until the end is recorded.
   */
  end(id: string): Promise<void> | undefined;
  /**
   * Records that a session has lost a hold. The lock may be granted to others once this resolves, or at once where it is undefined. Never
   * rejects: it tries until that is recorded.
   */
  lose(id: string, loss: LossRecord): Promise<void> | undefined;
}

/** The locks of a server that was stopped on purpose, for the next start. */
export interface SavedStop {
  /** Saves any value that JSON can hold. Rejects when it is too large or cannot be written. */
  save(state: unknown): Promise<void>;
  /**
   * Removes what the run before saved and resolves to it; undefined if there is nothing. Rejects with a `LedgerError`:
   * `unreadable` when it is damaged, and put aside; another code, or the system's error, when it cannot be removed.
   */
  take(): Promise<unknown>;
}

/** Who is told about the ledger's troubles. */
export interface LedgerReport {
  /** Something for the log. */
  tell(level: 'info' | 'warn' | 'error', message: string): void;
  /** Nobody can say what the disk has: the process must end, and may not give another answer. */
  fail(error: Error): void;
}
