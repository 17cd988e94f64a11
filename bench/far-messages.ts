/** What the program of vanished hosts and its processes say to each other. */

/** Where the server is, and the time-out of sessions; the default one if none is given. */
export interface FarArguments {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number | undefined;
}

export type FarOrder =
  /** A client of its own takes a lock, and then waits for another one, if that is named. */
  | { readonly order: 'take'; readonly name: string; readonly awaited?: string | undefined }
  /** Blocks the event loop, and then tells what each client believes at its first look. */
  | { readonly order: 'block'; readonly ms: number }
  /** Asks the server. */
  | { readonly order: 'check'; readonly name: string };

/** Something that a client learned of a lock. All times are by the clock that the processes of the machine share. */
export type FarReport =
  | { readonly kind: 'taken' | 'granted'; readonly name: string; readonly atMs: number; readonly token: number }
  | { readonly kind: 'aborted'; readonly name: string; readonly atMs: number; readonly code: string }
  | {
      readonly kind: 'looked';
      readonly name: string;
      /** When the block began. */
      readonly sinceMs: number;
      readonly atMs: number;
      readonly isHeld: boolean;
      readonly code: string;
    }
  | {
      readonly kind: 'checked';
      readonly name: string;
      readonly atMs: number;
      readonly isConfirmed: boolean;
      readonly isAborted: boolean;
      readonly confirmMs: number;
    };

/** Longer than the program takes. */
export const LONG_MS = 600_000;
