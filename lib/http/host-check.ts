/** Decides by the header `Host` whether a request is meant for this server: else any page could point a name at this machine and read it. */

import { isIP } from 'node:net';

const MAX_SHOWN = 100;

/** Whether a request with this `Host` may be answered: an address, `localhost` or a listed name, with any port. */
export function isTrustedHost(header: string | undefined, hosts: ReadonlySet<string>): boolean {
  const [, inBrackets, plain = ''] = /^(?:\[([\da-f:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/i.exec(header ?? '') ?? [];
  if (inBrackets !== undefined) return isIP(inBrackets) === 6;
  const name = plain.toLowerCase().replace(/\.$/, '');
  return isIP(name) === 4 || name === 'localhost' || hosts.has(name);
}

/** The header as people may see it in a line of the log. */
export function showHost(header: string | undefined): string {
  return header === undefined ? 'missing' : JSON.stringify(header.slice(0, MAX_SHOWN));
}
