/** Runs one case of the fuzz program over a real socket. */

import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls, createSecureContext, type TLSSocket } from 'node:tls';
import type { FuzzCase, Transport } from './fuzz-case.ts';
import type { Random } from './fuzz-random.ts';
import { damage } from './fuzz-traffic.ts';

/** Where each listener of the server is. */
export type Places = Readonly<Partial<Record<Transport, NetConnectOpts>>>;

/** Making one for each connection would take longer than the rest of it. */
const SECURE_CONTEXT = createSecureContext();
/** Far longer than any answer takes. */
const ANSWER_MS = 20_000;
const LONGEST_PAUSE_MS = 3;
const LONGEST_STAY_MS = 30;
/** For a server that waits for the end of a message that will not come. */
const CLOSE_MS = 50;

/** Does what the case says; resolves to what was wrong with the answers, if anything was. */
export async function runCase(each: FuzzCase, places: Places): Promise<string | undefined> {
  const socket = connect({ allowHalfOpen: true, noDelay: true, ...(places[each.transport] as NetConnectOpts) });
  const stream = each.isTls ? openTls(socket, each) : socket;
  const peer = new Peer(stream, socket, each);
  try {
    await peer.send();
    return await peer.leave();
  } finally {
    socket.destroy();
  }
}

class Peer {
  readonly #stream: Socket | TLSSocket;
  readonly #socket: Socket;
  readonly #case: FuzzCase;
  readonly #closed: Promise<void>;
  #isClosed = false;
  #received = '';
  #tellDone: () => void = () => {};

  constructor(stream: Socket | TLSSocket, socket: Socket, each: FuzzCase) {
    this.#stream = stream;
    this.#socket = socket;
    this.#case = each;
    for (const each of new Set([stream, socket])) each.on('error', () => {});
    this.#closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isClosed = true;
        resolve();
      });
    });
    if (each.isReading) stream.on('data', (bytes: Buffer) => this.#receive(bytes));
    else stream.pause();
  }

  /** Writes piece by piece, mostly a turn apart, since Node joins what is written in one turn. */
  async send(): Promise<void> {
    const { pieces, random } = this.#case;
    for (const piece of pieces) {
      if (this.#isClosed || !this.#stream.writable) return;
      this.#stream.write(piece);
      if (random.chance(0.7)) await nextTurn();
      if (random.chance(0.03)) await pause(random.below(LONGEST_PAUSE_MS));
    }
  }

  async leave(): Promise<string | undefined> {
    const { ending, random, transport, isTls } = this.#case;
    const problem = await this.#awaitAnswers();
    if (this.#isClosed) return problem;
    await Promise.race([this.#closed, pause(random.below(LONGEST_STAY_MS))]);
    if (ending === 'end') {
      this.#stream.end();
      await Promise.race([this.#closed, pause(CLOSE_MS)]);
    }
    // Node can reset bare TCP only.
    if (ending === 'reset' && !isTls && transport !== 'unix') this.#socket.resetAndDestroy();
    return problem;
  }

  async #awaitAnswers(): Promise<string | undefined> {
    const { expected, transport } = this.#case;
    if (expected === undefined) return undefined;
    if (this.#answerCount() < expected.answerCount) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ANSWER_MS);
        this.#tellDone = () => {
          clearTimeout(timer);
          resolve();
        };
        void this.#closed.then(this.#tellDone);
      });
    }
    const count = this.#answerCount();
    if (count === expected.answerCount) return undefined;
    const state = this.#isClosed ? 'then the connection closed' : 'then none came';
    return `good requests by ${transport}: ${count} of ${expected.answerCount} were answered well, ${state}`;
  }

  #receive(bytes: Buffer): void {
    const { expected } = this.#case;
    if (expected === undefined) return;
    this.#received += bytes.toString('latin1');
    if (this.#answerCount() >= expected.answerCount) this.#tellDone();
  }

  #answerCount(): number {
    return this.#received.match((this.#case.expected as NonNullable<FuzzCase['expected']>).answer)?.length ?? 0;
  }
}

function openTls(socket: Socket, { random, isTlsDamaged }: FuzzCase): TLSSocket {
  const carrier = isTlsDamaged ? new DamagingStream(socket, random) : socket;
  return connectTls({ socket: carrier, secureContext: SECURE_CONTEXT, rejectUnauthorized: false });
}

/** Damages some of what is written to a socket. */
class DamagingStream extends Duplex {
  readonly #socket: Socket;
  readonly #random: Random;

  constructor(socket: Socket, random: Random) {
    super();
    this.#socket = socket;
    this.#random = random;
    socket.on('data', (bytes) => this.push(bytes));
    socket.once('close', () => this.destroy());
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(this.#random.chance(0.3) ? damage(this.#random, bytes) : bytes);
    done();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end();
    done();
  }
}
