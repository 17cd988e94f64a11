/** The lock server with every protocol: our messages and those of its ancestors. */

import type { Listener } from '../message/byte-stream.ts';
import { LockServer, type LockServerOptions } from '../server/lock-server.ts';
import { type LineListenOptions, line } from './line/line.ts';
import { prefixed } from './prefixed/prefixed.ts';

/** Newline-delimited JSON, pkLockServer's length-prefixed JSON, and the line protocol of lockd and glockd. */
export type Protocol = 'ndjson' | 'prefixed' | 'line';

/** What holds for the clients of one listener. */
export interface LockListenOptions extends LineListenOptions {
  readonly protocols?: readonly Protocol[];
}

/** Serves locks by all protocols, unless it is given others. */
export class FullLockServer extends LockServer {
  constructor(options: LockServerOptions = {}) {
    super({ protocols: [line(), prefixed()], ...options });
  }

  /** Listens there too; resolves to the address. Rejects as that of `LockServer` does. */
  override listen(listener: Listener, options: LockListenOptions = {}): Promise<string> {
    return super.listen(listener, options);
  }
}
