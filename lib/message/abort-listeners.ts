/**
 * Listening for the abort of a signal that many wait for: one listener of the signal itself stands for all of them. Node
 * warns of a leak above ten, and a caller may well hand one signal to a hundred calls.
 */

import type { ByteStream, Dialer } from './byte-stream.ts';

interface Listeners {
  readonly waiting: Set<() => void>;
  readonly tell: () => void;
}

const LISTENERS = new WeakMap<AbortSignal, Listeners>();

/**
 * Calls back when the signal aborts, in the order of the calls; never for one that has aborted before, or for none at
 * all. Returns a function that stops it.
 */
export function whenAborted(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined || signal.aborted) return () => {};
  const { waiting, tell } = listenersOf(signal);
  // Wrap the callback, because the same one may be given twice.
  const entry = (): void => callback();
  waiting.add(entry);
  return () => {
    waiting.delete(entry);
    if (waiting.size > 0 || LISTENERS.get(signal)?.tell !== tell) return;
    LISTENERS.delete(signal);
    signal.removeEventListener('abort', tell);
  };
}

function listenersOf(signal: AbortSignal): Listeners {
  const known = LISTENERS.get(signal);
  if (known !== undefined) return known;
  const waiting = new Set<() => void>();
  const tell = (): void => {
    // A callback may cancel others; those are not called then.
    for (const callback of waiting) callback();
  };
  const listeners = { waiting, tell };
  LISTENERS.set(signal, listeners);
  signal.addEventListener('abort', tell, { once: true });
  return listeners;
}

/** Stops waiting when the signal aborts, whether or not the dialer does. Closes a connection that comes too late. */
export function dialUntilAborted(dial: Dialer, signal: AbortSignal): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    dial(signal).then((stream) => {
      if (signal.aborted) stream.destroy();
      else resolve(stream);
    }, reject);
  });
}
