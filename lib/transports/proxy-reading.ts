/** Reads the header of the PROXY protocol from a new connection, and nothing behind it. */

import type { Socket } from 'node:net';
import { noProxyHeader } from '../message/refusal-causes.ts';
import type { ConnectionRefusalReason, RefusalCause } from '../message/refusals.ts';
import { show } from '../message/show.ts';
import { startTimeout } from '../message/timeout.ts';
import { type ProxyHeader, parseProxyHeader } from './proxy-header.ts';

/** How much is shown of the first bytes that are no header. */
const SHOWN_BYTES = 16;

/** The header, or why there is none; `gone` for a connection that was closed before a byte came, or by this side. */
type ProxyReading = ProxyHeader | RefusalCause<ConnectionRefusalReason> | 'gone';

/** Calls `done` once. Whoever reads the socket then gets the first byte behind the header first. */
export function readProxyHeader(socket: Socket, timeoutMs: number, done: (reading: ProxyReading) => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  const finish = (reading: ProxyReading): void => {
    stopTimeout();
    socket.off('readable', read).off('end', breakOff).off('error', breakOff).off('close', leave);
    done(reading);
  };
  const read = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    bytes = Buffer.concat([bytes, chunk]);
    const header = parseProxyHeader(bytes);
    if (header === 'partial') return;
    if (header === 'broken') {
      finish(noProxyHeader(`it began with ${shown(bytes)}, which is no valid header of the PROXY protocol`));
    } else {
      if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
      finish(header);
    }
  };
  const breakOff = (): void => {
    finish(bytes.length === 0 ? 'gone' : noProxyHeader('it ended within its header of the PROXY protocol'));
  };
  const leave = (): void => finish('gone');
  const stopTimeout = startTimeout(timeoutMs, () => {
    const why = `it sent no whole header of the PROXY protocol within ${timeoutMs} ms`;
    finish({ reason: 'handshakeTimeout', why });
  });
  socket.on('readable', read).on('end', breakOff).on('error', breakOff).on('close', leave);
}

function shown(bytes: Buffer): string {
  return show(bytes.toString('latin1', 0, SHOWN_BYTES));
}
