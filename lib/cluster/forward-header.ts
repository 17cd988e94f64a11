/**
 * The header with which a standby forwards a connection to the leader: version 2 of the PROXY protocol, section 2.2 of
 * https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt, with two records of our own.
 */

import { Buffer } from 'node:buffer';
import { isIPv4, isIPv6 } from 'node:net';
import { parseProxyHeader } from '../transports/proxy-header.ts';
import { PROXY_BEGINNINGS } from '../wire/detect.ts';

/** Types that the protocol leaves to applications (`PP2_TYPE_MIN_CUSTOM` and up). */
const SECRET = 0xe0;
const ORIGIN = 0xe1;
const PROXY_COMMAND = 0x21;
const LOCAL_COMMAND = 0x20;
const FAMILIES = { ipv4: 0x11, ipv6: 0x21, none: 0x00 } as const;
const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
const RECORD_HEAD_BYTES = 3;

/** Where a forwarded connection comes from. */
export interface ForwardedOrigin {
  /** The client, as the standby sees it. */
  readonly peer: string;
  /** What the listener of the standby serves, as the options of `listen`. */
  readonly options: object;
}

/** A header that has come whole. */
export interface ForwardHeader {
  readonly length: number;
  readonly secret: string;
  readonly origin: ForwardedOrigin;
}

/** The header for a connection. */
export function encodeForwardHeader(secret: string, origin: ForwardedOrigin): Buffer {
  const records = [record(SECRET, secret), record(ORIGIN, JSON.stringify(origin))];
  const { command, family, addresses } = addressesOf(origin.peer);
  const rest = Buffer.concat([addresses, ...records]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(rest.length);
  const beginning = Buffer.from(PROXY_BEGINNINGS.binary, 'latin1');
  return Buffer.concat([beginning, Buffer.from([command, family]), length, rest]);
}

/** `partial` while more has to come, `broken` when it is no header of a standby. */
export function parseForwardHeader(bytes: Buffer): ForwardHeader | 'partial' | 'broken' {
  const header = parseProxyHeader(bytes);
  if (typeof header === 'string') return header;
  const records = readRecords(header.records);
  const [secret, origin] = [records.get(SECRET), parseOrigin(records.get(ORIGIN))];
  return secret === undefined || origin === undefined ? 'broken' : { length: header.length, secret, origin };
}

function record(type: number, value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  const head = Buffer.alloc(RECORD_HEAD_BYTES);
  head.writeUInt8(type);
  head.writeUInt16BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function readRecords(bytes: Buffer): ReadonlyMap<number, string> {
  const records = new Map<number, string>();
  for (let at = 0; at + RECORD_HEAD_BYTES <= bytes.length; ) {
    const begin = at + RECORD_HEAD_BYTES;
    const end = begin + bytes.readUInt16BE(at + 1);
    if (end <= bytes.length) records.set(bytes.readUInt8(at), bytes.toString('utf8', begin, end));
    at = end;
  }
  return records;
}

function parseOrigin(text: string | undefined): ForwardedOrigin | undefined {
  try {
    const { peer, options } = JSON.parse(text ?? '') as Partial<ForwardedOrigin>;
    const isWhole = typeof peer === 'string' && typeof options === 'object' && options !== null;
    return isWhole ? { peer, options } : undefined;
  } catch {
    return undefined;
  }
}

/** For tools that watch the network; the leader goes by the record. Nobody needs the second address, so it is the first again. */
function addressesOf(peer: string): { readonly command: number; readonly family: number; readonly addresses: Buffer } {
  const [, inBrackets, plain, port = ''] = /^(?:\[(.*)\]|(.*)):(\d+)$/.exec(peer) ?? [];
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(Number(port));
  if (plain !== undefined && isIPv4(plain)) {
    const address = Buffer.alloc(IPV4_BYTES, Buffer.from(plain.split('.').map(Number)));
    return { command: PROXY_COMMAND, family: FAMILIES.ipv4, addresses: Buffer.concat([address, address, ports]) };
  }
  if (inBrackets !== undefined && isIPv6(inBrackets) && !inBrackets.includes('%')) {
    const address = ipv6Bytes(inBrackets);
    return { command: PROXY_COMMAND, family: FAMILIES.ipv6, addresses: Buffer.concat([address, address, ports]) };
  }
  return { command: LOCAL_COMMAND, family: FAMILIES.none, addresses: Buffer.alloc(0) };
}

function ipv6Bytes(address: string): Buffer {
  const [head = '', tail] = address.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const zeros = Array<number>(IPV6_BYTES / 2 - first.length - last.length).fill(0);
  const bytes = Buffer.alloc(IPV6_BYTES);
  for (const [index, group] of [...first, ...zeros, ...last].entries()) bytes.writeUInt16BE(group, index * 2);
  return bytes;
}
