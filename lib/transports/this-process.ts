/** Facts about the client's process. Only clients on Node use this file, not clients in browsers. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { hostname } from 'node:os';
import { basename } from 'node:path';

/** Keeps the process name short, since a server accepts names of up to 256 bytes by default. */
const MAX_SCRIPT_CHARACTERS = 40;

const script = basename(process.argv[1] ?? 'node').slice(0, MAX_SCRIPT_CHARACTERS);

/** The script, the host and the process id, such as `worker.js@web3:4711`. */
export const processName: string = `${script}@${hostname()}:${process.pid}`;

/** Runs a function outside any request's `AsyncLocalStorage` context: in the context that loaded this file. */
export const outsideRequests: (run: () => void) => void = AsyncLocalStorage.snapshot();

/** A channel on which tools in this process may listen. */
export { channel as diagnosticsChannel } from 'node:diagnostics_channel';
