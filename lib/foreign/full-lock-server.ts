/** The lock server with every protocol: our messages and those of older lock servers. */

import type { Listener } from '../message/byte-stream.ts';
import { LockServer } from '../server/lock-server.ts';
import type { LockServerOptions } from '../server/lock-server-options.ts';
import { type LineListenOptions, line } from './line/line.ts';
import { prefixed } from './prefixed/prefixed.ts';

/** Newline-delimited JSON, pkLockServer's length-prefixed JSON, and the line protocol of lockd and glockd. */
export type Protocol = 'ndjson' | 'prefixed' | 'line';

/** The options of one listener. */
export interface LockListenOptions extends LineListenOptions {
  readonly protocols?: readonly Protocol[];
}

/** Serves locks by all protocols, unless the options name others. */
export class FullLockServer extends LockServer {
  constructor(options: LockServerOptions = {}) {
    super({ protocols: [line(), prefixed()], ...options });
  }

  /** Listens on a further listener; resolves to its address. Rejects as `LockServer.listen` does. */
  override listen(listener: Listener, options: LockListenOptions = {}): Promise<string> {
    return super.listen(listener, options);
  }
}
