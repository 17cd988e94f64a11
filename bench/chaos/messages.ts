/** What the processes of the chaos run tell each other. Times are milliseconds of the clock that all processes of a machine share. */

import type { LockMode } from 'holdfast';

const NANOSECONDS_A_MS = 1e6;

/** Locks that are never asked for together with others. */
export const LONE_NAMES: readonly string[] = ['d', 'e', 'f'];

/** Monotonic, and the same for all processes of the machine. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / NANOSECONDS_A_MS;
}

/** A random number from 0 to 1, for which the seed decides. */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Where a client connects: to one address, or to the one of several servers that leads. */
export type ClientPlace =
  | { readonly host: string; readonly port: number }
  | { readonly servers: readonly string[]; readonly host?: never; readonly port?: never };

/** What a client process is started with. */
export interface ClientArguments {
  readonly place: ClientPlace;
  readonly seed: number;
  readonly session: { readonly timeoutMs: number } | false;
  /** Whether each visit has a client, and so a session, of its own. */
  readonly isFresh: boolean;
  /** Whether it speaks the line protocol; then it has one address. */
  readonly isOfLines: boolean;
  readonly requestTimeoutMs: number;
  /** How long most flows keep their locks until the server has answered. */
  readonly patienceMs: number;
}

/** What the run tells a client process. */
export type ClientOrder = { readonly order: 'finish' } | { readonly order: 'block'; readonly ms: number };

/** What a client process tells. A hold has a number within its process. */
export type ClientEvent =
  | {
      readonly kind: 'call';
      readonly call: number;
      readonly at: number;
      readonly waitMs: number;
      /** When it is for one alone. */
      readonly lock: { readonly name: string; readonly mode: LockMode } | undefined;
    }
  | { readonly kind: 'answered'; readonly call: number; readonly at: number; readonly outcome: string }
  | {
      readonly kind: 'granted';
      readonly hold: number;
      readonly at: number;
      readonly name: string;
      readonly mode: LockMode;
      readonly token: number;
      readonly leaseMs: number | undefined;
    }
  /** The client was sure of the hold at this time. */
  | { readonly kind: 'sure'; readonly holds: readonly number[]; readonly at: number }
  | { readonly kind: 'released'; readonly hold: number; readonly at: number }
  /** Its connection is lost, or its session goes on with another. */
  | { readonly kind: 'connection'; readonly at: number; readonly change: 'lost' | 'resumed' }
  | { readonly kind: 'lost'; readonly hold: number; readonly at: number; readonly code: string };

/** What a proxy does to the connections of one of its ports. */
export type ProxyAction =
  | 'cut'
  | 'reset'
  | 'resetClientSide'
  | 'resetServerSide'
  | 'halfCloseToServer'
  | 'halfCloseToClient'
  | 'holdToServer'
  | 'holdToClient'
  | 'dropToClient'
  | 'delay'
  | 'delayToClient'
  | 'freeReplies'
  | 'holdConnections'
  | 'free';

export interface ProxyOrder {
  readonly port: number;
  readonly action: ProxyAction;
  /** By how much it delays. */
  readonly ms: number;
}

/** A port of a proxy, and the servers that its connections go to, one after the other. */
export interface ProxiedPort {
  readonly port: number;
  readonly serverPorts: readonly number[];
}

/** What a proxy is started with. */
export interface ProxyArguments {
  readonly ports: readonly ProxiedPort[];
}
