/** Network addresses in the forms in which people write and read them. */

import { isIPv6 } from 'node:net';

/**
 * An IPv4 address that came as an IPv6 one (RFC 4291 2.5.5.2), in whatever notation, as IPv4; without a zone; others as
 * they are.
 */
export function canonicalAddress(address: string): string {
  if (!address.includes(':')) return address;
  const withoutZone = address.replace(/%.*$/, '');
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(withoutZone)?.[1];
  if (dotted !== undefined || !isIPv6(withoutZone)) return dotted ?? withoutZone;
  // A URL has addresses in their one shortest form, with the last four bytes as two numbers.
  const shortest = new URL(`http://[${withoutZone}]`).hostname;
  const [, high, low] = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(shortest) ?? [];
  if (high === undefined || low === undefined) return withoutZone;
  return [high, low].flatMap((half) => [Number.parseInt(half, 16) >> 8, Number.parseInt(half, 16) & 0xff]).join('.');
}

/** `127.0.0.1:20934`, `[::1]:20934`. */
export function formatAddress(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
