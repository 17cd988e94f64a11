/** Host and port of an address as listeners tell it. */

/** Takes `127.0.0.1:20934` and `[::1]:20934`. */
export function parseAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
