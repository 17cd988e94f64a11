/** What one peer of the fuzz program does: where it connects, what it sends in which pieces, and how it leaves. */

import { goodFrames, tlsRecords, wildFrames } from './fuzz-frames.ts';
import { Random } from './fuzz-random.ts';
import {
  cut,
  damage,
  type GoodTraffic,
  garbage,
  goodTraffic,
  PROTOCOLS,
  type Protocol,
  wildTraffic,
} from './fuzz-traffic.ts';

/** The ways to connect to the server, without those for which it has no listener. */
export type Transport = 'tcp' | 'unix' | 'tls' | 'webSocket' | 'secureWebSocket';

/** How a peer leaves: it closes its side and waits for the other, or goes at once, or breaks off. */
export type Ending = 'end' | 'destroy' | 'reset';

/** One peer. */
export interface FuzzCase {
  readonly transport: Transport;
  readonly pieces: readonly Buffer[];
  /** Whether to speak TLS where the server does; otherwise the bytes are TLS records, or what should have been. */
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
