/** WebSocket handshakes and frames, and TLS records, made by hand, so that each of their fields can be wrong. */

import type { Random } from './fuzz-random.ts';

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

/** Records of which the first mostly is a client's hello, as a server expects it. */
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
