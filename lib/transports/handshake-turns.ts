/** Lets TLS handshakes begin one by one, since each takes a millisecond or more of the processor. */

import type { Socket } from 'node:net';
import { TurnBudget } from '../message/scheduler.ts';
import { startTimeout } from '../message/timeout.ts';

/** One piece of work is done in each turn, however long it takes. */
const turns = new TurnBudget(0);

/** What comes of a connection before its handshake. */
export interface HandshakeTurn {
  /** The client has sent something, and it is its turn. */
  begin(): void;
  /** It has sent nothing in time. */
  late(): void;
}

/** Calls `begin` or `late`, or neither for a client that goes before. */
export function awaitHandshakeTurn(socket: Socket, timeoutMs: number, { begin, late }: HandshakeTurn): void {
  const forget = (): void => {
    stopTimeout();
    socket.off('readable', queue).off('error', leave).off('close', forget);
  };
  const leave = (): void => {
    socket.destroy();
  };
  const queue = (): void => {
    // The end of a socket is readable, too.
    if (socket.readableLength === 0) {
      leave();
      return;
    }
    stopTimeout();
    socket.off('readable', queue);
    turns.add(() => {
      if (socket.destroyed) return;
      forget();
      begin();
    });
  };
  const stopTimeout = startTimeout(timeoutMs, () => {
    forget();
    late();
  });
  socket.on('readable', queue).on('error', leave).on('close', forget);
}
