/** Reads the addresses of listeners. */

/** Host and port of `127.0.0.1:20934` or `[::1]:20934`. */
export function parseAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
