/** The options of the client's methods: their types, the check that they make sense, and the call for locks that they become. */

import { unknownOption } from '../message/known-options.ts';
import type { MessageClientOptions } from '../message/message-client.ts';
import { describe } from '../message/show.ts';
import type { RequestedLock } from '../protocol.ts';
import { LockInvalidError } from './lock-error.ts';

/** How long to wait before the connection is opened again: at least 10 ms, whatever these say. */
export interface ReconnectOptions {
  /** The longest first delay, in milliseconds; each further one may be twice as long. 100 by default. */
  readonly minDelayMs?: number | undefined;
  /** The longest delay of all, in milliseconds. 10,000 by default; 1,000 with `servers`. */
  readonly maxDelayMs?: number | undefined;
}

/** How long a session outlives its connection. */
export interface SessionOptions {
  /** Milliseconds that the server waits for the client once it has not heard of it. */
  readonly timeoutMs?: number | undefined;
}

/** How a client is made, wherever its server is. */
export interface ClientOptions extends MessageClientOptions {
  /** The name by which others see this client. */
  readonly name?: string | undefined;
  /** Milliseconds until one attempt to connect is given up, handshakes and greeting included; 10,000 by default, `Infinity` for no limit. */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Milliseconds until a call is given up that has no connection or no answer, unlocking and closing included; 30,000 by
   * default. The time that a call waits for its lock is added.
   */
  readonly requestTimeoutMs?: number | undefined;
  /** The delays before a lost connection is opened again; `false` closes the client instead. */
  readonly reconnect?: ReconnectOptions | false | undefined;
  /** Whether new calls `wait` for the next connection while one is lost, which is the default, or `fail` at once. */
  readonly whileDisconnected?: 'wait' | 'fail' | undefined;
  /**
   * What is held and awaited outlives a lost connection if another one can be opened within `timeoutMs`, 20,000 by default; the server
   * may keep that within bounds of its own. `false`: a lost connection is a lost hold.
   */
  readonly session?: SessionOptions | false | undefined;
  /** Events that an iterator of `events()` keeps for a slow reader; 1,000 by default. */
  readonly maxBufferedEvents?: number | undefined;
}

/** Which lock, and how: a limit belongs to permits only, and only an exclusive lock can be stolen. */
export type LockModeOptions =
  | {
      /** `exclusive` by default. */
      readonly mode?: 'exclusive' | undefined;
      readonly limit?: never;
      /**
       * Take it away from its holders. The server allows that if they took it with `stealable`, otherwise only if its
       * settings allow it.
       */
      readonly steal?: boolean | undefined;
    }
  | { readonly mode: 'shared'; readonly limit?: never; readonly steal?: never }
  | {
      readonly mode: 'permit';
      /** Granted while fewer than this many hold; without one, always. A whole number from 1. */
      readonly limit?: number | undefined;
      readonly steal?: never;
    };

/** Options that calls have whether or not they wait. */
export interface HoldOptions {
  /**
   * Milliseconds after which the server frees the lock unless the client renews the lease, which it does by itself. Without
   * a lease no timer ever takes the lock.
   */
  readonly leaseMs?: number | undefined;
  /**
   * Calls with the same owner belong together for deadlock detection, and are one owner to the server. A fresh one by
   * default.
   */
  readonly owner?: string | undefined;
  /** Others may take it away with `steal`. */
  readonly stealable?: boolean | undefined;
  /** Ends the wait, also on the server: the call rejects with the signal's reason, and nothing is held. */
  readonly signal?: AbortSignal | undefined;
}

/** How long a call waits for its lock. */
export interface WaitOptions {
  /** Milliseconds to wait at most; 30,000 by default, `Infinity` for no limit. */
  readonly waitMs?: number | undefined;
}

/** How a lock is taken at once or not at all. */
export type TryLockOptions = LockModeOptions & HoldOptions;

/** How a lock is asked for. */
export type LockOptions = TryLockOptions & WaitOptions;

/** How a handle asks for a further lock: as its own owner. */
export type NestedLockOptions = LockModeOptions & Omit<HoldOptions, 'owner'> & WaitOptions;

/** The same, without waiting. */
export type NestedTryLockOptions = LockModeOptions & Omit<HoldOptions, 'owner'>;

/** One of several locks that are asked for together. */
export type LockItem = { readonly name: string } & (
  | { readonly mode?: 'exclusive' | 'shared' | undefined; readonly limit?: never }
  | { readonly mode: 'permit'; readonly limit?: number | undefined }
);

/** How several locks are asked for together. */
export interface LockAllOptions extends WaitOptions {
  /** As for a single lock: the lease of each of them, renewed by itself. */
  readonly leaseMs?: number | undefined;
  /** Ends the wait, also on the server: the call rejects with the signal's reason, and nothing is held. */
  readonly signal?: AbortSignal | undefined;
}

/** Which page of the locks is wanted. */
export interface ListOptions {
  /** Only names that begin with this. */
  readonly prefix?: string;
  /** Only names behind this one: the `next` of the page before. */
  readonly after?: string;
  /** How many names at most; 100 by default. */
  readonly max?: number;
}

/** A call for one lock, or for all of several. */
export interface LockCall {
  readonly command: 'lock' | 'lockAll';
  readonly items: readonly RequestedLock[];
  /** Milliseconds to wait at most: 0 is a try-lock. */
  readonly waitMs: number;
  /** When that is over, by the clock of `performance.now()`. */
  readonly endMs: number;
  readonly signal: AbortSignal | undefined;
  readonly leaseMs: number | undefined;
  readonly steal?: boolean | undefined;
  readonly stealable?: boolean | undefined;
}

/** Returns undefined for a value that the option may have, otherwise a text that tells which values it may have. */
export type OptionRule = (value: unknown) => string | undefined;

/** The options that a call knows. */
export type OptionRules = Readonly<Record<string, OptionRule>>;

const DEFAULT_WAIT_MS = 30_000;
const MS_A_SECOND = 1_000;
/** The longest time limit that the wire knows. */
const MAX_SECONDS = 1e9;
const MAX_MS = 1e12;

/** A value that is checked elsewhere, or not at all. */
export const ANYTHING: OptionRule = () => undefined;
const TEXT: OptionRule = rule('a string', (value) => typeof value === 'string');
/** A time or a count. */
export const FROM_ZERO: OptionRule = rule('a number from 0, or Infinity', (value) => isNumber(value) && value >= 0);
/** A time that has an end. */
export const ABOVE_ZERO: OptionRule = rule(
  'a number above 0, up to 1e12',
  (value) => isNumber(value) && value > 0 && value <= MAX_MS,
);
export const SIGNAL: OptionRule = rule(
  'an AbortSignal',
  (value) => typeof (value as AbortSignal | null)?.throwIfAborted === 'function',
);
const MODE = oneOf('exclusive', 'shared', 'permit');
const LIMIT = rule('a whole number from 1', (value) => Number.isSafeInteger(value) && (value as number) >= 1);
/** The options of a client but for those that say where the server is. */
export const CLIENT_OPTIONS: OptionRules = {
  name: TEXT,
  connectTimeoutMs: FROM_ZERO,
  requestTimeoutMs: FROM_ZERO,
  reconnect: ANYTHING,
  session: ANYTHING,
  whileDisconnected: oneOf('wait', 'fail'),
  maxMessageBytes: FROM_ZERO,
  maxPendingRequests: FROM_ZERO,
  maxUnsentBytes: FROM_ZERO,
  maxBufferedEvents: FROM_ZERO,
};

/** The options of a call that does not wait: of a handle, and of a client. */
export const NESTED_TRY_LOCK_OPTIONS: OptionRules = {
  mode: MODE,
  limit: LIMIT,
  steal: ANYTHING,
  leaseMs: ABOVE_ZERO,
  stealable: ANYTHING,
  signal: SIGNAL,
};
export const TRY_LOCK_OPTIONS: OptionRules = { ...NESTED_TRY_LOCK_OPTIONS, owner: TEXT };
/** The options of a call that waits. */
export const NESTED_LOCK_OPTIONS: OptionRules = { ...NESTED_TRY_LOCK_OPTIONS, waitMs: FROM_ZERO };
export const LOCK_OPTIONS: OptionRules = { ...TRY_LOCK_OPTIONS, waitMs: FROM_ZERO };
const LOCK_ALL_OPTIONS: OptionRules = { waitMs: FROM_ZERO, leaseMs: ABOVE_ZERO, signal: SIGNAL };
const LOCK_ITEM_OPTIONS: OptionRules = { name: TEXT, mode: MODE, limit: LIMIT };
export const TERM_OPTIONS: OptionRules = { leaseMs: ABOVE_ZERO, signal: SIGNAL };

/** @throws LockInvalidError when the name is no string, or an option is not known or makes no sense. */
export function toCall(name: string, options: LockOptions, rules: OptionRules): LockCall {
  requireOptions(options, rules);
  if (typeof name !== 'string') throw wrong('name', name, 'a string');
  const { mode = 'exclusive', limit, leaseMs, steal, stealable, waitMs = DEFAULT_WAIT_MS, signal } = options;
  const endMs = performance.now() + waitMs;
  return { command: 'lock', items: [{ name, mode, limit }], leaseMs, steal, stealable, waitMs, endMs, signal };
}

/** @throws LockInvalidError when the locks are no list of names and items that make sense, or an option makes none. */
export function toCallForAll(locks: readonly (string | LockItem)[], options: LockAllOptions): LockCall {
  const { leaseMs, waitMs = DEFAULT_WAIT_MS, signal } = requireOptions(options, LOCK_ALL_OPTIONS);
  if (!Array.isArray(locks)) throw wrong('locks', locks, 'a list of locks');
  return { command: 'lockAll', items: locks.map(toItem), leaseMs, waitMs, endMs: performance.now() + waitMs, signal };
}

function toItem(lock: string | LockItem, index: number): RequestedLock {
  if (typeof lock === 'string') return { name: lock, mode: 'exclusive', limit: undefined };
  const { name, mode = 'exclusive', limit } = requireOptions(lock, LOCK_ITEM_OPTIONS, `locks[${index}]`);
  if (name === undefined) throw wrong(`locks[${index}].name`, name, 'a string');
  return { name, mode, limit };
}

/** Milliseconds that are left to wait, rounded up. */
export function remainingMs({ waitMs, endMs }: LockCall): number {
  return Math.min(waitMs, Math.max(0, Math.ceil(endMs - performance.now())));
}

/** Equal for two modes of a name that are one lock. */
export function lockKey({ name, mode }: Pick<RequestedLock, 'name' | 'mode'>): string {
  return mode === 'permit' ? `permit ${name}` : `lock ${name}`;
}

/**
 * Returns the options as they are; those that are undefined have a default.
 * @throws LockInvalidError when they are no object (null has no default), or when one is not known or breaks its rule.
 */
export function requireOptions<Options extends object>(options: Options, rules: OptionRules, name?: string): Options {
  if (typeof options !== 'object' || options === null) throw wrong(name ?? 'options', options, 'an object');
  for (const option in options) {
    const rule = Object.hasOwn(rules, option) ? rules[option] : undefined;
    if (rule === undefined) throw new LockInvalidError(String(unknownOption(options, Object.keys(rules), name)));
    const value = options[option];
    const expected = value === undefined ? undefined : rule(value);
    if (expected !== undefined) throw wrong(name === undefined ? option : `${name}.${option}`, value, expected);
  }
  return options;
}

function rule(expected: string, fits: (value: unknown) => boolean): OptionRule {
  return (value) => (fits(value) ? undefined : expected);
}

function oneOf(...choices: readonly unknown[]): OptionRule {
  return rule(choices.map((choice) => JSON.stringify(choice)).join(' or '), (value) => choices.includes(value));
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

/** @throws LockInvalidError when the value is no function. */
export function requireFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw wrong(name, value, 'a function');
}

/** The error for a value that makes no sense. */
export function wrong(name: string, value: unknown, expected: string): LockInvalidError {
  return new LockInvalidError(`${name} is ${describe(value)}; expected ${expected}`);
}

/** The parameters on the wire. JSON leaves out those that are undefined. */
export function toParameters(owner: string, call: LockCall, timeLimitMs: number): object {
  const { command, items, leaseMs, steal, stealable } = call;
  const lease = leaseMs && leaseMs / MS_A_SECOND;
  const seconds = timeLimitMs / MS_A_SECOND;
  const timeLimit = seconds > MAX_SECONDS ? false : seconds;
  if (command === 'lockAll') return { locks: items.map(toItemParameters), owner, lease, timeLimit };
  const { name, mode, limit } = items[0] as RequestedLock;
  // One literal, because spreading others into it takes a tenth of the time of a lock.
  return {
    lockName: name,
    owner,
    mode: mode === 'exclusive' ? undefined : mode,
    limit,
    lease,
    steal: steal || undefined,
    stealable: stealable || undefined,
    timeLimit,
  };
}

function toItemParameters({ name, mode, limit }: RequestedLock): object {
  return { lockName: name, mode: mode === 'exclusive' ? undefined : mode, limit };
}
