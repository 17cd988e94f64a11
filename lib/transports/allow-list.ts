/** The addresses, and ranges of addresses, that may connect, and the forms in which people write them. */

import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

const MAPPED_PREFIX_BITS = 96;

/** Tells whether an address is allowed. An IPv4-mapped IPv6 address counts as IPv4. */
export class AllowList {
  /** One list per family: a range of IPv6 addresses must not let in the IPv4 addresses that some of them stand for. */
  readonly #lists: Readonly<Record<'ipv4' | 'ipv6', BlockList>> = { ipv4: new BlockList(), ipv6: new BlockList() };

  /**
   * Most connections come from the same address as the one before, and a second lookup costs a tenth of a connection.
   */
  #last: { readonly address: string; readonly isAllowed: boolean } | undefined;

  /**
   * Takes addresses (`127.0.0.1`, `::1`) and CIDR ranges (`10.0.0.0/8`, `fd00::/8`).
   * @throws TypeError that names the first entry that is neither.
   */
  constructor(entries: readonly string[]) {
    for (const entry of entries) this.#add(entry);
  }

  allows(address: string): boolean {
    if (this.#last?.address !== address) this.#last = { address, isAllowed: this.#look(address) };
    return this.#last.isAllowed;
  }

  #look(address: string): boolean {
    const canonical = canonicalAddress(address);
    if (isIP(canonical) === 0) return false;
    const family = familyOf(canonical);
    return this.#lists[family].check(canonical, family);
  }

  #add(entry: string): void {
    const [address = '', bits, ...more] = entry.split('/');
    const isAddress = isIP(address) !== 0 && !address.includes('%');
    if (!isAddress || more.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) throw wrongEntry(entry);
    const canonical = canonicalAddress(address);
    const family = familyOf(canonical);
    if (bits === undefined) {
      this.#lists[family].addAddress(canonical, family);
      return;
    }
    const prefix = Number(bits) - (canonical === address ? 0 : MAPPED_PREFIX_BITS);
    if (prefix < 0 || prefix > (family === 'ipv4' ? 32 : 128)) throw wrongEntry(entry);
    this.#lists[family].addSubnet(canonical, prefix, family);
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}

function wrongEntry(entry: string): TypeError {
  return new TypeError(
    `${JSON.stringify(entry)} is no address; expected one such as "127.0.0.1" or "::1", or a range such as "10.0.0.0/8"`,
  );
}

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
