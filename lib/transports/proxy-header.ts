/**
 * Reads headers of the PROXY protocol, by which a proxy tells whose connection it passes on. The rules are those of
 * https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt, section 2.1 for version 1 and 2.2 for version 2.
 */

import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { PROXY_BEGINNINGS } from '../message/refusal-causes.ts';
import { canonicalAddress } from './allow-list.ts';

/** The longest line of version 1. */
const MAX_LINE_BYTES = 107;

/** Headers of version 2 may carry names and certificates of the client behind the addresses. */
const MAX_BINARY_BYTES = 4_096;

/** Where the proxy's client is. */
export interface ProxySource {
  readonly address: string;
  readonly port: number;
}

/** A whole header. */
export interface ProxyHeader {
  /** How many bytes it has. */
  readonly length: number;
  /** Undefined where the proxy speaks for itself, as in a health check, or cannot tell. */
  readonly source: ProxySource | undefined;
  /** What a proxy tells beyond that, in version 2: records of a type, a length and a value, as the proxy sent them. */
  readonly records: Buffer;
}

/** Takes all bytes that have come so far. `partial` while more have to come, `broken` when they are no header. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | 'partial' | 'broken' {
  if (canBegin(bytes, PROXY_BEGINNINGS.text)) return parseText(bytes);
  return canBegin(bytes, PROXY_BEGINNINGS.binary) ? parseBinary(bytes) : 'broken';
}

function canBegin(bytes: Buffer, beginning: string): boolean {
  return beginning.startsWith(bytes.toString('latin1', 0, beginning.length));
}

const LINE_FEED = 0x0a;
const LINE = /^PROXY (?:UNKNOWN(?: [^\r\n]*)?|(TCP[46]) (\S+) (\S+) (\d+) (\d+))\r\n$/;
const PORT = /^(0|[1-9]\d{0,4})$/;
const MAX_PORT = 65_535;
const NONE = Buffer.alloc(0);

function parseText(bytes: Buffer): ProxyHeader | 'partial' | 'broken' {
  const end = bytes.subarray(0, MAX_LINE_BYTES).indexOf(LINE_FEED);
  if (end === -1) return bytes.length < MAX_LINE_BYTES ? 'partial' : 'broken';
  const length = end + 1;
  const [line, protocol, address = '', target = '', port = '', targetPort = ''] =
    LINE.exec(bytes.toString('latin1', 0, length)) ?? [];
  if (line === undefined) return 'broken';
  if (protocol === undefined) return { length, source: undefined, records: NONE };
  const isAddress = protocol === 'TCP4' ? isIPv4 : isIPv6WithoutZone;
  const isValid = isAddress(address) && isAddress(target) && isPort(port) && isPort(targetPort);
  return isValid ? { length, source: sourceOf(address, Number(port)), records: NONE } : 'broken';
}

function isIPv6WithoutZone(address: string): boolean {
  return isIPv6(address) && !address.includes('%');
}

function isPort(text: string): boolean {
  return PORT.test(text) && Number(text) <= MAX_PORT;
}

/** Bytes before the addresses: the beginning, version and command, family and protocol, and the length of the rest. */
const FIXED_BYTES = 16;
const VERSION_AND_COMMAND = PROXY_BEGINNINGS.binary.length;
const FAMILY_AND_PROTOCOL = VERSION_AND_COMMAND + 1;
const LENGTH = VERSION_AND_COMMAND + 2;
/** Version 2: the proxy speaks for itself, or for a client. */
const LOCAL = 0x20;
const PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
/** Of no family, IPv4, IPv6 and Unix sockets: two addresses and two ports. */
const ADDRESS_BYTES = [0, 12, 36, 216];
/** Protocols of a family: none, streams and datagrams. */
const MAX_PROTOCOL = 2;

function parseBinary(bytes: Buffer): ProxyHeader | 'partial' | 'broken' {
  if (bytes.length < FIXED_BYTES) return 'partial';
  const command = bytes.readUInt8(VERSION_AND_COMMAND);
  const family = bytes.readUInt8(FAMILY_AND_PROTOCOL);
  const restBytes = bytes.readUInt16BE(LENGTH);
  const length = FIXED_BYTES + restBytes;
  if (command !== LOCAL && command !== PROXY) return 'broken';
  const isForClient = command === PROXY;
  if (length > MAX_BINARY_BYTES || (isForClient && !hasAddresses(family, restBytes))) return 'broken';
  if (bytes.length < length) return 'partial';
  const rest = bytes.subarray(FIXED_BYTES, length);
  const records = rest.subarray(isForClient ? ADDRESS_BYTES[family >> 4] : 0);
  return { length, source: isForClient ? binarySource(family, rest) : undefined, records };
}

function hasAddresses(family: number, restBytes: number): boolean {
  const neededBytes = ADDRESS_BYTES[family >> 4];
  return neededBytes !== undefined && restBytes >= neededBytes && (family & 0xf) <= MAX_PROTOCOL;
}

/** Undefined if there is no address, as for a client of the proxy's Unix socket. */
function binarySource(family: number, rest: Buffer): ProxySource | undefined {
  if (family === TCP_OVER_IPV4) return sourceOf(rest.subarray(0, 4).join('.'), rest.readUInt16BE(8));
  if (family !== TCP_OVER_IPV6) return undefined;
  const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((at) => rest.readUInt16BE(at).toString(16));
  return sourceOf(groups.join(':'), rest.readUInt16BE(32));
}

/** The address in the form that the system uses for direct connections. */
function sourceOf(address: string, port: number): ProxySource {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  return { address: canonicalAddress(new SocketAddress({ address, family }).address), port };
}
