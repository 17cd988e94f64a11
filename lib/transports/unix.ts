/** Unix sockets: connecting. */

import type { Dialer } from '../message/byte-stream.ts';
import { dialSocket } from './dial-socket.ts';

/** Connects to a Unix socket. */
export function dialUnix(options: { readonly path: string }): Dialer {
  return (signal) => dialSocket({ path: options.path }, options.path, signal);
}
