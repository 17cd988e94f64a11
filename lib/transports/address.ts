/** Network addresses in the forms in which people write and read them. */

import { isIPv6 } from 'node:net';

/** An IPv4 address that came as an IPv6 one (`::ffff:10.0.0.1`, RFC 4291 2.5.5.2) as IPv4, without a zone; others as they are. */
export function canonicalAddress(address: string): string {
  const withoutZone = address.replace(/%.*$/, '');
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(withoutZone)?.[1] ?? withoutZone;
}

/** `127.0.0.1:20934`, `[::1]:20934`. */
export function formatAddress(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}
