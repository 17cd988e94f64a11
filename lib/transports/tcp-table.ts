/**
 * Reads the kernel's table of TCP connections (Linux; `man 5 proc_net_tcp`). Node has no other way to learn how often the
 * kernel has sent data again.
 */

import { type FileHandle, open } from 'node:fs/promises';
import { isIPv4, type Socket } from 'node:net';
import { endianness } from 'node:os';

/** The kernel's figures of one connection. */
export interface TcpRow {
  /** The two ends, as `tcpRowOf` writes them. */
  readonly key: string;
  /** Bytes that were written and not acknowledged, those that could not be sent yet included. */
  readonly unacknowledgedBytes: number;
  /**
   * How often the kernel has sent the oldest data again, or has asked a peer whose window is shut whether it is still shut,
   * since the peer last answered.
   */
  readonly unansweredCount: number;
}

/** A table for each family of addresses. */
export type TcpTable = '/proc/self/net/tcp' | '/proc/self/net/tcp6';

/** A read returns at most one page of the kernel, and a page has whole lines. */
const BUFFER_BYTES = 16_384;
const RETRANSMISSION_TIMER = '01';
const WINDOW_PROBE_TIMER = '04';

/** The number of the line, both ends, state, bytes to send and to read, timer and its time, retransmissions, user, probes. */
const ROW =
  /^ *\d+: ([\dA-F]+:[\dA-F]{4} [\dA-F]+:[\dA-F]{4}) [\dA-F]{2} ([\dA-F]{8}):[\dA-F]{8} ([\dA-F]{2}):[\dA-F]+ ([\dA-F]{8}) +\d+ +(\d+) /;

/** Reads one line of a table; undefined for the heading and for any other line that is no connection. */
export function parseTcpRow(line: string): TcpRow | undefined {
  const [, key, queued, timer, retransmissions, probes] = ROW.exec(line) ?? [];
  if (key === undefined || queued === undefined || retransmissions === undefined) return undefined;
  let unansweredCount = 0;
  if (timer === RETRANSMISSION_TIMER) unansweredCount = Number.parseInt(retransmissions, 16);
  else if (timer === WINDOW_PROBE_TIMER) unansweredCount = Number(probes);
  return { key, unacknowledgedBytes: Number.parseInt(queued, 16), unansweredCount };
}

/**
 * Reads a table page by page off the main thread, so that each turn of the event loop has few rows to handle.
 * Rejects with the system's error, `ENOENT` where there is no such table.
 */
export async function readTcpTable(table: TcpTable, receive: (row: TcpRow) => void): Promise<void> {
  const file = await open(table, 'r');
  try {
    await readRows(file, receive);
  } finally {
    await file.close();
  }
}

async function readRows(file: FileHandle, receive: (row: TcpRow) => void): Promise<void> {
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  let partial = '';
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, BUFFER_BYTES, null);
    if (bytesRead === 0) return;
    const lines = (partial + buffer.toString('latin1', 0, bytesRead)).split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) {
      const row = parseTcpRow(line);
      if (row !== undefined) receive(row);
    }
  }
}

/** The ends of a connection. */
type Ends = Partial<Pick<Socket, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>>;

/** Where to find a connection. Undefined once it is closed. */
export function tcpRowOf(socket: Ends): { readonly table: TcpTable; readonly key: string } | undefined {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (localAddress === undefined || localPort === undefined) return undefined;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  return {
    table: isIPv4(localAddress) ? '/proc/self/net/tcp' : '/proc/self/net/tcp6',
    key: `${endKey(localAddress, localPort)} ${endKey(remoteAddress, remotePort)}`,
  };
}

/** The address as the kernel prints it: in words of four bytes, each as a number of this machine; then the port. */
function endKey(address: string, port: number): string {
  const bytes = Buffer.from(isIPv4(address) ? ipv4Bytes(address) : ipv6Bytes(address));
  const words = endianness() === 'LE' ? bytes.swap32() : bytes;
  return `${words.toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}

function ipv4Bytes(address: string): number[] {
  return address.split('.').map(Number);
}

const IPV6_BYTES = 16;

function ipv6Bytes(address: string): number[] {
  const [before = '', after = ''] = address.replace(/%.*$/, '').split('::');
  const [first, last] = [groupBytes(before), groupBytes(after)];
  const zeros = new Array<number>(IPV6_BYTES - first.length - last.length).fill(0);
  return [...first, ...zeros, ...last];
}

/** The bytes of groups such as `fe80:1` or `ffff:192.0.2.1`. */
function groupBytes(groups: string): number[] {
  if (groups === '') return [];
  return groups.split(':').flatMap((group) => {
    if (isIPv4(group)) return ipv4Bytes(group);
    const number = Number.parseInt(group, 16);
    return [number >> 8, number & 0xff];
  });
}
