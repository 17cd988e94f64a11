/** Tells tracing tools in this process what happens to locks, on channels of `node:diagnostics_channel`: see docs/client.md. */

import type { LockMode, RequestedLock } from '../protocol.ts';
import { diagnosticsChannel } from '../transports/this-process.ts';
import type { LockLostCode } from './lock-error.ts';
import type { Hold, RequestTrace } from './lock-handle.ts';
import type { LockCall } from './options.ts';

/** A request for locks. All messages about it have the same object. */
export interface TracedRequest {
  readonly command: 'lock' | 'lockAll';
  readonly locks: readonly RequestedLock[];
  /** The owner tag under which the server knows it. */
  readonly owner: string;
  /** How many milliseconds it may wait; 0 for a try-lock. */
  readonly waitMs: number;
}

/** A lock that was granted to a request. */
export interface TracedHold {
  readonly name: string;
  readonly mode: LockMode;
  readonly token: number;
}

/** The messages of the channels `holdfast:request`, `holdfast:grant`, `holdfast:failure`, `holdfast:loss` and `holdfast:release`. */
export interface LockDiagnostics {
  readonly request: { readonly request: TracedRequest };
  readonly grant: { readonly request: TracedRequest; readonly holds: readonly TracedHold[] };
  /** Without an error, a try-lock found a lock taken. */
  readonly failure: { readonly request: TracedRequest; readonly error: unknown };
  readonly loss: { readonly request: TracedRequest; readonly hold: TracedHold; readonly code: LockLostCode };
  readonly release: { readonly request: TracedRequest; readonly hold: TracedHold };
}

const CHANNELS = {
  request: diagnosticsChannel('holdfast:request'),
  grant: diagnosticsChannel('holdfast:grant'),
  failure: diagnosticsChannel('holdfast:failure'),
  loss: diagnosticsChannel('holdfast:loss'),
  release: diagnosticsChannel('holdfast:release'),
} as const;

function publish<Kind extends keyof LockDiagnostics>(kind: Kind, message: LockDiagnostics[Kind]): void {
  CHANNELS[kind].publish(message);
}

/** Publishes a request and what becomes of it; undefined as long as nobody subscribes to any channel. */
export function traceRequest({ command, items, waitMs }: LockCall, owner: string): RequestTrace | undefined {
  if (!Object.values(CHANNELS).some(({ hasSubscribers }) => hasSubscribers)) return undefined;
  const request: TracedRequest = { command, locks: items, owner, waitMs };
  publish('request', { request });
  return {
    answered: (holds) => {
      if (holds === null) publish('failure', { request, error: undefined });
      else publish('grant', { request, holds: holds.map(describe) });
    },
    failed: (error) => publish('failure', { request, error }),
    ended: (hold) => {
      const { loss } = hold;
      if (loss === undefined) publish('release', { request, hold: describe(hold) });
      else publish('loss', { request, hold: describe(hold), code: loss.code });
    },
  };
}

function describe({ name, mode, token }: Hold): TracedHold {
  return { name, mode, token };
}
