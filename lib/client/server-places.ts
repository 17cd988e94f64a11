/** Where the servers of a client are: from the option `servers` to ways to dial each of them. */

import type { Dialer } from '../message/byte-stream.ts';
import { dialWebSocket } from '../transports/dial-web-socket-node.ts';
import { dialTcp } from '../transports/tcp.ts';
import type { DialTlsOptions } from '../transports/tls.ts';
import { dialUnix } from '../transports/unix.ts';
import { wrong } from './options.ts';

const MAX_SERVERS = 100;
const MAX_PORT = 65_535;
/** How a server is written. */
export const SERVER_EXPECTED = 'host:port, unix:PATH, or a URL that begins with ws:// or wss://';
/** A host name or an IPv4 address, or an IPv6 address in brackets; and a port. */
const TCP = /^(?:\[([0-9a-f:.]+(?:%\w+)?)\]|([^\s:/[\]]+)):(\d{1,5})$/i;
const UNIX = /^unix:(.+)$/s;
const WEB_SOCKET = /^(wss?):\/\//i;

/** A server that can be dialled. */
export interface ServerPlace {
  /** As the user or another server wrote it. */
  readonly address: string;
  readonly dial: Dialer;
}

/** @throws LockInvalidError unless `servers` is a list of 1 to 100 places; TLS is for TCP and `wss://`. */
export function serverPlaces(servers: readonly string[], tls: DialTlsOptions | undefined): readonly ServerPlace[] {
  if (!Array.isArray(servers)) throw wrong('servers', servers, 'a list of places');
  const { length } = servers;
  if (length < 1 || length > MAX_SERVERS) throw wrong('servers.length', length, `a number from 1 to ${MAX_SERVERS}`);
  return servers.map((address: unknown, index) => {
    const dial = typeof address === 'string' ? dialerOf(address, tls) : undefined;
    if (dial === undefined) throw wrong(`servers[${index}]`, address, SERVER_EXPECTED);
    return { address: address as string, dial };
  });
}

/** The leader that another server has told of: by TCP. Undefined for what is no `host:port`. */
export function leaderPlace(address: unknown, tls: DialTlsOptions | undefined): ServerPlace | undefined {
  const dial = typeof address === 'string' ? tcpDialer(address, tls) : undefined;
  return dial && { address: address as string, dial };
}

function dialerOf(address: string, tls: DialTlsOptions | undefined): Dialer | undefined {
  const [, path] = UNIX.exec(address) ?? [];
  if (path !== undefined) return dialUnix({ path });
  const [, scheme] = WEB_SOCKET.exec(address) ?? [];
  if (scheme === undefined) return tcpDialer(address, tls);
  // A URL that is none.
  if (!URL.canParse(address) || address.includes('#')) return undefined;
  return dialWebSocket({ url: address, tls: scheme.toLowerCase() === 'wss' ? tls : undefined });
}

function tcpDialer(address: string, tls: DialTlsOptions | undefined): Dialer | undefined {
  const [, ipv6, name, digits] = TCP.exec(address) ?? [];
  const host = ipv6 ?? name;
  const port = Number(digits);
  return host !== undefined && port >= 1 && port <= MAX_PORT ? dialTcp({ host, port, tls }) : undefined;
}
