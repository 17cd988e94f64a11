/** One peer of the fuzz program: the place it connects to, the pieces it sends, its way to leave, and the expected answers. */

import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls, createSecureContext, type TLSSocket } from 'node:tls';
import {
  cut,
  damage,
  type GoodTraffic,
  garbage,
  goodFrames,
  goodTraffic,
  PROTOCOLS,
  type Protocol,
  Random,
  tlsRecords,
  wildFrames,
  wildTraffic,
} from './fuzz-traffic.ts';

/** The ways to connect to the server, without those for which it has no listener. */
export type Transport = 'tcp' | 'unix' | 'tls' | 'webSocket' | 'secureWebSocket';

/** How a peer leaves: it closes its side and waits for the other, or goes at once, or breaks off. */
type Ending = 'end' | 'destroy' | 'reset';

/** One peer. */
interface FuzzCase {
  readonly transport: Transport;
  readonly pieces: readonly Buffer[];
  /** Whether to speak TLS if the server does; otherwise the bytes are TLS records, or a damaged form of them. */
  readonly isTls: boolean;
  /** Whether bytes below TLS are damaged. */
  readonly isTlsDamaged: boolean;
  readonly isReading: boolean;
  readonly ending: Ending;
  /** The answers that must come; undefined where anything may. */
  readonly expected?: Pick<GoodTraffic, 'answer' | 'answerCount'>;
  /** For choices that are made while it runs. */
  readonly random: Random;
}

const ENDINGS: readonly Ending[] = ['end', 'end', 'destroy', 'reset'];

/** The case of that number in the run of that seed, whatever else runs. */
export function makeCase(seed: number, index: number, transports: readonly Transport[]): FuzzCase {
  const random = new Random(seed, index);
  const transport = random.oneOf(transports);
  const isSecure = transport === 'tls' || transport === 'secureWebSocket';
  const kind = random.oneOf(['good', 'wild', 'wild', 'wild', 'records', 'garbage'] as const);
  const common = { transport, random, isTls: isSecure, isTlsDamaged: false, isReading: true, ending: 'end' } as const;
  if (kind === 'good') return { ...common, ...goodCase(random, transport, `case ${index}`) };
  const ending = random.oneOf(ENDINGS);
  const isReading = random.chance(0.9);
  if (kind === 'records') {
    return { ...common, pieces: cut(random, Buffer.concat(tlsRecords(random))), isTls: false, isReading, ending };
  }
  const messages = kind === 'garbage' ? garbage(random) : wildMessages(random, transport);
  const bytes = Buffer.concat(messages);
  const pieces = cut(random, random.chance(0.3) ? damage(random, bytes) : bytes);
  return { ...common, pieces, isTlsDamaged: isSecure && random.chance(0.2), isReading, ending };
}

function goodCase(random: Random, transport: Transport, ownName: string): Pick<FuzzCase, 'pieces' | 'expected'> {
  const { messages, ...expected } = goodTraffic(random, protocolFor(random, transport), ownName);
  const sent = isWebSocket(transport) ? goodFrames(messages) : messages;
  return { pieces: cut(random, Buffer.concat(sent)), expected };
}

function wildMessages(random: Random, transport: Transport): Buffer[] {
  const messages = wildTraffic(random, protocolFor(random, transport));
  return isWebSocket(transport) ? wildFrames(random, messages) : messages;
}

/** WebSocket does not carry frames with a length. */
function protocolFor(random: Random, transport: Transport): Protocol {
  return random.oneOf(isWebSocket(transport) ? PROTOCOLS.filter((each) => each !== 'prefixed') : PROTOCOLS);
}

function isWebSocket(transport: Transport): boolean {
  return transport === 'webSocket' || transport === 'secureWebSocket';
}

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

/** Plays the case; resolves to the mistake in the answers, if there is one. */
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

  /** Writes piece by piece, mostly in separate turns, since Node joins the writes of one turn. */
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

/** Damages some of the bytes that are written to a socket. */
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
