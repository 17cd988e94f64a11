/** What the peers of the fuzz program send. All of it follows from a seed, so that a run can be repeated. */

import { LOCK_COMMANDS } from '../lib/server/lock-commands.ts';

/** Sets the seeds of neighbouring cases far apart. */
const GOLDEN_RATIO = 0x9e3779b1;

/** The generator mulberry32. */
export class Random {
  #state: number;

  /** Each case of a run has choices of its own, whatever the others do. */
  constructor(seed: number, index: number) {
    this.#state = (seed ^ Math.imul(index + 1, GOLDEN_RATIO)) >>> 0;
  }

  /** A number from 0, below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0, below `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  oneOf<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)] as Value;
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }

  /** As many values as `count`, each made anew. */
  many<Value>(count: number, make: () => Value): Value[] {
    return Array.from({ length: count }, make);
  }
}

/** The protocols by their names in the settings. */
export const PROTOCOLS = ['ndjson', 'line', 'prefixed'] as const;

/** One of them. */
export type Protocol = (typeof PROTOCOLS)[number];

/** Messages that must all be answered well, and how to find these answers. */
export interface GoodTraffic {
  readonly messages: readonly Buffer[];
  readonly answer: RegExp;
  readonly answerCount: number;
}

/** The bystander holds a lock of this name all the time. */
export const HELD_NAME = 'held';

/** The names of the parameters of each command. */
const PARAMETERS = new Map(
  Object.entries(LOCK_COMMANDS).map(([command, { parameters }]) => [
    command,
    Object.keys(parameters.properties as object),
  ]),
);
const LINE_WORDS = ['g', 'r', 'i', 'sg', 'sr', 'si', 'd', 'sd', 'dump', 'q', 'me', 'iam', 'who', 'G', '', 'GET'];
const MODES = ['exclusive', 'shared', 'permit'];
const TEXTS = ['', 'a', '__proto__', '\u0000', '\u00e4\u20ac\u{1f512}', '\ud800', '"\\', '\u2028', ' ', '\t g'];
const NUMBERS = [0, -1, 1, 0.5, 1e308, -1e308, 5e-324, 2 ** 31, 2 ** 53, -(2 ** 53), 1e21];
const MAX_TEXT = 3_000;
const MAX_NESTING = 700;
const PAIRS_A_CASE = 20;
const MESSAGES_A_CASE = 30;
/** More would only take longer. */
const MAX_PIECES = 60;

/** Locks and unlocks names that no other peer asks for. */
export function goodTraffic(random: Random, protocol: Protocol, ownName: string): GoodTraffic {
  const count = 1 + random.below(PAIRS_A_CASE);
  const names = Array.from({ length: count }, (_, index) => `${ownName}.${index}\u00e9`);
  const messages = names.flatMap((name, index) => goodPair(protocol, name, index));
  const answer = protocol === 'line' ? /1 Lock (Get|Release) Success: /g : /"(status|result)":"ok"/g;
  return { messages, answer, answerCount: 2 * count };
}

function goodPair(protocol: Protocol, lockName: string, id: number): Buffer[] {
  if (protocol === 'line') return [Buffer.from(`g ${lockName}\n`), Buffer.from(`r ${lockName}\n`)];
  const lock = { command: 'lock', parameters: { lockName }, id };
  const unlock = protocol === 'prefixed' ? { command: 'unlock', lockName } : { ...lock, command: 'unlock' };
  return [lock, unlock].map((message) => encode(protocol, JSON.stringify(message)));
}

/** Valid, nearly valid and invalid messages. */
export function wildTraffic(random: Random, protocol: Protocol): Buffer[] {
  return random.many(random.below(MESSAGES_A_CASE), () => {
    if (protocol === 'line') return Buffer.from(wildLine(random));
    const message = random.chance(0.9) ? wildRequest(random) : wildValue(random);
    const json = random.chance(0.02) ? '['.repeat(random.below(MAX_NESTING)) : (JSON.stringify(message) ?? '');
    return encode(protocol, json);
  });
}

/** Bytes of no protocol, or of one that is not served. */
export function garbage(random: Random): Buffer[] {
  const opening = random.oneOf([
    '',
    '',
    '{',
    'g ',
    '\u0000\u0000',
    ' \r\n\t',
    'GET / HTTP/1.1\r\n',
    'SSH-2.0-x\r\n',
    '*1\r\n$4\r\n',
  ]);
  return [Buffer.from(opening, 'latin1'), random.bytes(random.below(MAX_TEXT))];
}

function encode(protocol: Protocol, json: string): Buffer {
  const body = Buffer.from(json);
  if (protocol !== 'prefixed') return Buffer.concat([body, Buffer.from('\n')]);
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(body.length);
  return Buffer.concat([prefix, body]);
}

function wildLine(random: Random): string {
  const word = random.chance(0.95) ? random.oneOf(LINE_WORDS) : wildText(random);
  const end = random.oneOf(['\n', '\n', '\n', '\r\n', '', '\r', '\u0000\n']);
  return `${word}${random.oneOf([' ', ' ', ' ', '  ', ''])}${name(random)}${end}`;
}

function wildRequest(random: Random): object {
  const command = random.chance(0.95) ? random.oneOf([...PARAMETERS.keys()]) : wildText(random);
  const request: Record<string, unknown> = { command };
  if (random.chance(0.95)) request.id = random.chance(0.95) ? random.below(30) : wildValue(random);
  if (random.chance(0.95)) request.parameters = parametersOf(random, command);
  if (random.chance(0.1)) request.lockName = name(random);
  if (random.chance(0.02)) request[wildText(random)] = wildValue(random);
  return request;
}

function parametersOf(random: Random, command: string): unknown {
  if (random.chance(0.02)) return wildValue(random);
  const known = PARAMETERS.get(command) ?? [];
  const parameters: Record<string, unknown> = {};
  for (const key of known) {
    const isNeeded = key === 'lockName' || key === 'locks';
    if (random.chance(isNeeded ? 0.95 : 0.4)) parameters[key] = parameterValue(random, key);
  }
  if (random.chance(0.02)) parameters[wildText(random)] = wildValue(random);
  return parameters;
}

function parameterValue(random: Random, key: string): unknown {
  if (random.chance(0.04)) return wildValue(random);
  const plausible: Readonly<Record<string, () => unknown>> = {
    lockName: () => name(random),
    locks: () => random.many(random.below(4), () => ({ lockName: name(random), mode: random.oneOf(MODES) })),
    mode: () => random.oneOf(MODES),
    limit: () => random.below(4),
    timeLimit: () => random.oneOf([0, 0, 0.01, 0.1, false]),
    owner: () => random.oneOf(['', 'a', 'b', 'c']),
    lease: () => random.oneOf([0.001, 0.02, 5]),
    steal: () => random.chance(0.3),
    stealable: () => random.chance(0.5),
    token: () => random.below(1_000_000),
    id: () => random.below(30),
    max: () => random.below(20),
    protocol: () => 1,
  };
  return (plausible[key] ?? (() => name(random)))();
}

/** One of a few names, so that peers meet. */
function name(random: Random): string {
  if (random.chance(0.05)) return wildText(random);
  return random.chance(0.1) ? HELD_NAME : `name ${random.below(8)}`;
}

function wildText(random: Random): string {
  return random.oneOf(TEXTS).repeat(random.chance(0.05) ? random.below(MAX_TEXT) : random.below(3));
}

function wildValue(random: Random, depth = 0): unknown {
  const kind = random.below(depth < 3 ? 7 : 5);
  if (kind === 0) return random.oneOf([null, true, false]);
  if (kind <= 2) return random.chance(0.5) ? random.oneOf(NUMBERS) : random.next() * 1e6;
  if (kind <= 4) return wildText(random);
  const values = random.many(random.below(4), () => wildValue(random, depth + 1));
  return kind === 5 ? values : Object.fromEntries(values.map((value) => [wildText(random), value]));
}

/** Changes a few bytes, takes some away, repeats some, or adds some. */
export function damage(random: Random, bytes: Buffer): Buffer {
  let damaged: Buffer = Buffer.from(bytes);
  for (let times = random.below(4); times >= 0 && damaged.length > 0; times -= 1) {
    const at = random.below(damaged.length);
    const [before, piece, after] = [damaged.subarray(0, at), damaged.subarray(at, at + 8), damaged.subarray(at + 8)];
    const other = random.oneOf<() => Buffer>([
      () => Buffer.from(piece.map((byte) => byte ^ (1 << random.below(8)))),
      () => Buffer.alloc(0),
      () => Buffer.concat([piece, piece]),
      () => Buffer.concat([piece, random.bytes(random.below(20))]),
    ]);
    damaged = Buffer.concat([before, other(), after]);
  }
  return damaged;
}

/** Cuts bytes into pieces, some of them single bytes. */
export function cut(random: Random, bytes: Buffer): Buffer[] {
  const longest = random.oneOf([1, 7, 100, 2_000, bytes.length + 1]);
  const least = Math.ceil(bytes.length / MAX_PIECES);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + Math.max(least, 1 + random.below(longest));
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const RECORD_TYPES = { changeCipherSpec: 20, alert: 21, handshake: 22, data: 23 } as const;

interface Frame {
  readonly opcode: number;
  readonly isFinal?: boolean;
  readonly reserved?: number;
  readonly isMasked?: boolean;
}

/** A handshake, and each message as one frame of text. */
export function goodFrames(messages: readonly Buffer[]): Buffer[] {
  return [handshake(KEY, '13'), ...messages.map((message) => frame(message, { opcode: OPCODES.text }))];
}

/** Mostly the same, with messages in fragments, control frames in between, and fields that are not allowed. */
export function wildFrames(random: Random, messages: readonly Buffer[]): Buffer[] {
  const start = handshake(random.chance(0.95) ? KEY : 'x', random.chance(0.95) ? '13' : '8');
  const frames = messages.flatMap((message) => {
    if (random.chance(0.1)) return [frame(random.bytes(random.below(140)), wildFields(random))];
    if (random.chance(0.2)) return fragments(random, message);
    const opcode = random.chance(0.95) ? OPCODES.text : OPCODES.binary;
    return [frame(message, { opcode })];
  });
  return [start, ...frames];
}

function wildFields(random: Random): Frame {
  return {
    opcode: random.oneOf([...Object.values(OPCODES), random.below(16)]),
    isFinal: random.chance(0.7),
    reserved: random.chance(0.9) ? 0 : random.below(8),
    isMasked: random.chance(0.9),
  };
}

function fragments(random: Random, message: Buffer): Buffer[] {
  const middle = random.below(message.length + 1);
  const first = frame(message.subarray(0, middle), { opcode: OPCODES.text, isFinal: false });
  const between = random.chance(0.3) ? [frame(random.bytes(random.below(20)), { opcode: OPCODES.ping })] : [];
  return [first, ...between, frame(message.subarray(middle), { opcode: OPCODES.continuation })];
}

function handshake(key: string, version: string): Buffer {
  const headers = ['Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket'];
  const own = [`Sec-WebSocket-Key: ${key}`, `Sec-WebSocket-Version: ${version}`];
  return Buffer.from(['GET / HTTP/1.1', ...headers, ...own, '', ''].join('\r\n'));
}

/** The mask is all zeros, which leaves the payload as it is. */
function frame(payload: Buffer, { opcode, isFinal = true, reserved = 0, isMasked = true }: Frame): Buffer {
  const { length } = payload;
  const masked = isMasked ? 0x80 : 0;
  const first = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  const head = length < 126 ? [first, masked | length] : [first, masked | 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), Buffer.alloc(isMasked ? 4 : 0), payload]);
}

/** TLS records; the first one is mostly a client's hello, as a server expects. */
export function tlsRecords(random: Random): Buffer[] {
  const first = random.chance(0.8) ? record(RECORD_TYPES.handshake, clientHello(random)) : wildRecord(random);
  return [first, ...random.many(random.below(6), () => wildRecord(random))];
}

function wildRecord(random: Random): Buffer {
  const type = random.chance(0.9) ? random.oneOf(Object.values(RECORD_TYPES)) : random.below(256);
  const bytes = random.bytes(random.below(random.chance(0.1) ? 17_000 : 100));
  const length = random.chance(0.8) ? bytes.length : random.below(65_536);
  return record(type, bytes, random.oneOf([0x0301, 0x0303, 0x0303, 0x0304, random.below(65_536)]), length);
}

function record(type: number, bytes: Buffer, version = 0x0301, length: number = bytes.length): Buffer {
  return Buffer.concat([Buffer.from([type]), twoBytes(version), twoBytes(length), bytes]);
}

/** One of TLS 1.2. */
function clientHello(random: Random): Buffer {
  const ciphers = [0xc02b, 0xc02f, 0xc02c, 0xc030, 0x009c].map(twoBytes);
  const extensions = [
    extension(10, sized([twoBytes(29), twoBytes(23)])),
    extension(11, Buffer.from([1, 0])),
    extension(13, sized([twoBytes(0x0403), twoBytes(0x0804)])),
    extension(random.below(65_536), random.bytes(random.below(40))),
  ];
  const session = random.bytes(random.oneOf([0, 32, 33]));
  const body = Buffer.concat([
    twoBytes(0x0303),
    random.bytes(32),
    Buffer.from([session.length]),
    session,
    sized(ciphers),
    Buffer.from([1, 0]),
    sized(extensions),
  ]);
  return Buffer.concat([Buffer.from([1, 0]), twoBytes(body.length), body]);
}

function extension(type: number, bytes: Buffer): Buffer {
  return Buffer.concat([twoBytes(type), sized([bytes])]);
}

function sized(parts: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(parts);
  return Buffer.concat([twoBytes(bytes.length), bytes]);
}

function twoBytes(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
