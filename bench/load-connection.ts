/**
 * A connection of the load generator and what it sends: prepared requests round and round, whose replies it compares byte by
 * byte. Only Node's `write` allocates anything for a request.
 */

import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { LoadProtocol, LoadTarget } from './load-generator.ts';

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

const NEWLINE = 10;
const READ_BYTES = 65_536;

/** All connections share it: each handles its input before the next one reads. */
const readBuffer = new Uint8Array(READ_BYTES);

/** Gets the replies. */
export interface LoadObserver {
  /** The request at that place was answered as expected. */
  answered(connection: LoadConnection, place: number): void;
  /** `answered` was called for all replies in one piece of input. */
  read(connection: LoadConnection): void;
  failed(problem: string): void;
}

/** A place is the index of a request among those that it sends round and round. */
export class LoadConnection {
  readonly index: number;
  readonly #socket: Socket;
  readonly #observer: LoadObserver;
  readonly #exchanges: readonly Exchange[];
  readonly #requests: Buffer;
  readonly #requestStarts: readonly number[];
  readonly #replies: Uint8Array;
  readonly #replyStarts: readonly number[];
  /** The place to send next, how many requests are due from there, and the place whose answer comes next. */
  #next = 0;
  #due = 0;
  #awaited = 0;
  #inFlight = 0;
  /** How far the replies are compared, and where the expected part of the current one ends. */
  #comparedTo = 0;
  #compareEnd = 0;
  #state: 'open' | 'closing' | 'failed' = 'open';

  /** Resolves when connected. */
  static open(
    target: LoadTarget,
    index: number,
    exchanges: readonly Exchange[],
    observer: LoadObserver,
  ): Promise<LoadConnection> {
    return new Promise((resolve, reject) => {
      const callback = (bytes: number): boolean => {
        connection.#take(bytes);
        return true;
      };
      const onread = { buffer: readBuffer, callback };
      const options = { ...target.place, noDelay: true, onread };
      const socket = target.isTls
        ? connectTls({ ...options, rejectUnauthorized: false })
        : connectPlain(options as Parameters<typeof connectPlain>[0] & object);
      const connection = new LoadConnection(socket, index, exchanges, observer);
      socket.once('error', reject);
      socket.once(target.isTls ? 'secureConnect' : 'connect', () => {
        socket.off('error', reject);
        socket.on('error', (error) => connection.#fail(error.message));
        socket.on('close', () => connection.#fail('the server closed a connection'));
        resolve(connection);
      });
    });
  }

  constructor(socket: Socket, index: number, exchanges: readonly Exchange[], observer: LoadObserver) {
    this.index = index;
    this.#socket = socket;
    this.#observer = observer;
    this.#exchanges = exchanges;
    this.#requests = Buffer.from(exchanges.map(({ request }) => request).join(''), 'latin1');
    this.#requestStarts = startsOf(exchanges.map(({ request }) => request.length));
    this.#replies = Buffer.from(exchanges.map(({ reply }) => reply).join(''), 'latin1');
    this.#replyStarts = startsOf(exchanges.map(({ reply }) => reply.length));
    this.#compareEnd = this.#replyStarts[1] as number;
  }

  /** The place of the request that is sent next. */
  get next(): number {
    return this.#next;
  }

  /** Requests that wait for `flush`. */
  get due(): number {
    return this.#due;
  }

  /** Requests that are due, or sent and not answered. */
  get unanswered(): number {
    return this.#due + this.#inFlight;
  }

  /** The place of the request that `plan` would make due. */
  get planned(): number {
    const place = this.#next + this.#due;
    return place < this.#exchanges.length ? place : place - this.#exchanges.length;
  }

  /** Makes the next request due, to go out with the next `flush`. No more than all places may be due. */
  plan(): void {
    this.#due += 1;
  }

  /** Sends the requests that are due, by one write, or by two when they go beyond the last place. */
  flush(): void {
    const { length } = this.#exchanges;
    this.#inFlight += this.#due;
    while (this.#due > 0) {
      const end = Math.min(length, this.#next + this.#due);
      this.#socket.write(this.#requests.subarray(this.#requestStarts[this.#next], this.#requestStarts[end]));
      this.#due -= end - this.#next;
      this.#next = end === length ? 0 : end;
    }
  }

  close(): void {
    this.#state = 'closing';
    this.#socket.destroy();
  }

  #take(bytes: number): void {
    const replies = this.#replies;
    for (let at = 0; at < bytes; at += 1) {
      const byte = readBuffer[at];
      if (this.#comparedTo < this.#compareEnd) {
        if (byte !== replies[this.#comparedTo]) {
          this.#failAt(at, bytes);
          return;
        }
        this.#comparedTo += 1;
      }
      if (byte === NEWLINE) this.#finishReply();
    }
    this.#observer.read(this);
  }

  #finishReply(): void {
    const place = this.#awaited;
    if (this.#inFlight === 0) {
      this.#fail('a reply came that nobody asked for');
      return;
    }
    this.#inFlight -= 1;
    this.#awaited = place + 1 === this.#exchanges.length ? 0 : place + 1;
    this.#comparedTo = this.#replyStarts[this.#awaited] as number;
    this.#compareEnd = this.#replyStarts[this.#awaited + 1] as number;
    this.#observer.answered(this, place);
  }

  #failAt(at: number, bytes: number): void {
    const { request, reply } = this.#exchanges[this.#awaited] as Exchange;
    const start = Math.max(0, at - this.#comparedTo + (this.#replyStarts[this.#awaited] as number));
    const came = Buffer.from(readBuffer.subarray(start, Math.min(bytes, start + 200))).toString('latin1');
    const shown = [request, came, reply].map((text) => JSON.stringify(text));
    this.#fail(`${shown[0]} was answered ${shown[1]}; expected ${shown[2]}`);
  }

  /** Only the first problem counts. */
  #fail(problem: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'failed';
    this.#socket.destroy();
    this.#observer.failed(problem);
  }
}

function startsOf(lengths: readonly number[]): number[] {
  const starts = [0];
  for (const length of lengths) starts.push((starts.at(-1) as number) + length);
  return starts;
}
