/** What a client that runs on Node knows of its process, and a browser's does not have. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { hostname } from 'node:os';
import { basename } from 'node:path';

/** A server takes names of 256 bytes, if nobody set it to take others. */
const MAX_SCRIPT_CHARACTERS = 40;

const script = basename(process.argv[1] ?? 'node').slice(0, MAX_SCRIPT_CHARACTERS);

/** The script, the host and the number of the process, such as `worker.js@web3:4711`. */
export const processName: string = `${script}@${hostname()}:${process.pid}`;

/** Runs a function in no request's `AsyncLocalStorage` context: in the one in which this was loaded. */
export const outsideRequests: (run: () => void) => void = AsyncLocalStorage.snapshot();
