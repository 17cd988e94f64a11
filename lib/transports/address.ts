/** Network addresses in the forms that people write and read. */

import { isIPv6 } from 'node:net';

/**
 * Turns an IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2), in any notation, into IPv4. Removes the zone of an IPv6
 * address, and leaves any other address as it is.
 */
export function canonicalAddress(address: string): string {
  if (!address.includes(':')) return address;
  const withoutZone = address.replace(/%.*$/, '');
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(withoutZone)?.[1];
  if (dotted !== undefined || !isIPv6(withoutZone)) return dotted ?? withoutZone;
  // A URL writes an address in its one shortest form, with the last four bytes as two numbers.
  const shortest = new URL(`http://[${withoutZone}]`).hostname;
  const [, high, low] = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(shortest) ?? [];
  if (high === undefined || low === undefined) return withoutZone;
  return [high, low].flatMap((half) => [Number.parseInt(half, 16) >> 8, Number.parseInt(half, 16) & 0xff]).join('.');
}

/** Joins an address and a port: `127.0.0.1:20934`, `[::1]:20934`. */
export function formatAddress(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
