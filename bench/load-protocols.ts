/** The requests that a load generator sends, and the replies that it expects, byte by byte. */

import type { LoadProtocol } from './load-generator.ts';

/** One request with its reply. */
export interface Exchange {
  readonly request: string;
  /** How the reply begins. The rest of its line may be anything. */
  readonly reply: string;
}

/** A lock and its unlock; ids are for protocols that have them. */
interface LockPair {
  readonly lock: Exchange;
  readonly unlock: Exchange;
}

type MakePair = (name: string, lockId: number, unlockId: number) => LockPair;

/** Longer than any run. */
const TIME_TO_LIVE_MS = 60_000;

const okReply = (id: number): string => `{"id":${id},"result":{"status":"ok"`;

function messages(request: (command: string, name: string, id: number) => string): MakePair {
  return (name, lockId, unlockId) => ({
    lock: { request: request('lock', name, lockId), reply: `${okReply(lockId)},"token":` },
    unlock: { request: request('unlock', name, unlockId), reply: okReply(unlockId) },
  });
}

const commonMessage = (command: string, lockName: string, id: number): string =>
  `${JSON.stringify({ command, parameters: { lockName }, id })}\n`;

const escapedLetter = (letter: string): string => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;

function redisRequest(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

const PAIRS: Readonly<Record<LoadProtocol, MakePair>> = {
  ndjson: messages(commonMessage),
  reordered: messages((command, lockName, id) => `${JSON.stringify({ id, parameters: { lockName }, command })}\n`),
  spaced: messages(
    (command, name, id) => `{ "command": "${command}", "parameters": { "lockName": "${name}" }, "id": ${id} }\n`,
  ),
  escaped: messages((command, name, id) =>
    commonMessage(command, name, id).replace(name, name.replace(/[a-z]/, escapedLetter)),
  ),
  floor: (name, lockId, unlockId) => ({
    lock: { request: commonMessage('lock', name, lockId), reply: `${okReply(lockId)}}}\n` },
    unlock: { request: commonMessage('unlock', name, unlockId), reply: `${okReply(unlockId)}}}\n` },
  }),
  line: (name) => ({
    lock: { request: `g ${name}\n`, reply: `1 Lock Get Success: ${name}\n` },
    unlock: { request: `r ${name}\n`, reply: `1 Lock Release Success: ${name}\n` },
  }),
  resp: (name, lockId) => ({
    lock: { request: redisRequest('SET', name, String(lockId), 'NX', 'PX', String(TIME_TO_LIVE_MS)), reply: '+OK\r\n' },
    unlock: { request: redisRequest('DEL', name), reply: ':1\r\n' },
  }),
  // One worker; ten thousand may wait, ten seconds at most.
  pool: (name) => ({
    lock: { request: `ACQ4ME ${name} 1 10000 10\n`, reply: 'LOCKED\n' },
    unlock: { request: 'RELEASE\n', reply: 'RELEASED\n' },
  }),
};

/** A lock of that name with its unlock. */
export function lockPair(protocol: LoadProtocol, name: string, lockId: number, unlockId: number): LockPair {
  return PAIRS[protocol](name, lockId, unlockId);
}

let runs = 0;

/** Names of 16 characters for one run. A failed run may have left locks, so the next run has other names. */
export function uniqueNames(): (connection: number, index: number) => string {
  runs += 1;
  const run = String(runs).padStart(3, '0');
  return (connection, index) => `lk-${run}-${String(connection).padStart(4, '0')}-${String(index).padStart(4, '0')}`;
}
