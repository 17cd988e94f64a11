/** Decides which pages may connect by WebSocket, from the headers `Origin` and `Host` of the handshake. */

import { isIP } from 'node:net';
import type { ConnectionRefusalReason, RefusalCause } from '../message/refusals.ts';
import { show } from '../message/show.ts';

/** All values of both headers, repeated ones included. */
export interface PageHeaders {
  readonly origins: readonly string[];
  readonly hosts: readonly string[];
}

/** The answer to a handshake. */
type PageAnswer =
  | { readonly kind: 'allowed' }
  /** A program without an origin called the server by a name that is not listed. */
  | { readonly kind: 'allowed'; readonly unlistedName: string }
  | { readonly kind: 'refused'; readonly status: 400 | 403; readonly cause: RefusalCause<ConnectionRefusalReason> };

/** A host and an optional port, normalised so that they can be compared. */
interface Authority {
  readonly name: string;
  readonly port: number | undefined;
}

interface Origin extends Authority {
  /** As a browser sends it: in lower case, without the default port. */
  readonly text: string;
  readonly defaultPort: number | undefined;
  readonly hasPath: boolean;
}

const ALLOWED: PageAnswer = { kind: 'allowed' };
const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, ws: 80, https: 443, wss: 443 };
const HOST = String.raw`\[[\da-f:.]+\]|[^\s/?#@:,*\\[\]]+`;
const AUTHORITY = new RegExp(String.raw`^(${HOST})(?::(\d{0,5}))?$`, 'i');
const ORIGIN = new RegExp(String.raw`^([a-z][a-z\d+.-]*)://((?:${HOST})?)(?::(\d{1,5}))?(/[^\s,]*)?$`, 'i');
const MAX_PORT = 65_535;

/**
 * A page may connect when its origin is listed, or when it is the server's own page according to `Host`. `Host` must
 * then be an address, `localhost` or a listed name: otherwise anybody could point a name at this machine and let a page
 * in. Programs send no origin, or one with a path, which no browser sends. They may always connect.
 */
export class PageAccess {
  readonly #origins: ReadonlySet<string>;
  readonly #hosts: ReadonlySet<string>;
  readonly #isSecure: boolean;

  /**
   * `isSecure`: the listener has TLS.
   * @throws TypeError that names the first wrong origin or host name.
   */
  constructor(options: { readonly origins: readonly string[]; readonly hosts: readonly string[]; isSecure: boolean }) {
    this.#origins = new Set(options.origins.map(parseListedOrigin));
    this.#hosts = new Set(options.hosts.map(parseListedHost));
    this.#isSecure = options.isSecure;
  }

  answer({ origins, hosts }: PageHeaders): PageAnswer {
    const [host, ...moreHosts] = hosts;
    const called = moreHosts.length === 0 ? parseAuthority(host ?? '') : undefined;
    if (called === undefined) return malformedHost(hosts);
    if (origins.length === 0) {
      return this.#isTrusted(called.name) ? ALLOWED : { kind: 'allowed', unlistedName: called.name };
    }
    const origin = origins.length === 1 ? parseOrigin(origins[0] as string) : undefined;
    if (origin === undefined) return malformedOrigin(origins);
    if (origin.hasPath || this.#origins.has(origin.text)) return ALLOWED;
    if (!this.#isSame(origin, called)) return originNotListed(origin.text);
    return this.#isTrusted(called.name) ? ALLOWED : hostNotListed(called.name);
  }

  /**
   * A missing port means the default: in `Host` the port of HTTPS if this listener has TLS, otherwise the default of
   * the page's scheme, since a proxy may handle TLS for both.
   */
  #isSame(origin: Origin, called: Authority): boolean {
    const { name, defaultPort, port = defaultPort } = origin;
    const calledPort = called.port ?? (this.#isSecure ? DEFAULT_PORTS.https : defaultPort);
    return defaultPort !== undefined && name === called.name && port === calledPort;
  }

  #isTrusted(name: string): boolean {
    return isIP(name) !== 0 || name === 'localhost' || this.#hosts.has(name);
  }
}

/**
 * Normalises an origin of the settings to the form that browsers send.
 * @throws TypeError when no page can have this origin.
 */
export function parseListedOrigin(text: string): string {
  // People sometimes end an origin with a slash; browsers never do.
  const origin = parseOrigin(text.replace(/([^/])\/$/, '$1'));
  if (origin !== undefined && !origin.hasPath) return origin.text;
  throw new TypeError(`${show(text)} is no origin of a page; expected one such as "https://intranet.example"`);
}

/**
 * Normalises a host name of the settings, so that it can be compared.
 * @throws TypeError when it is not a host name.
 */
export function parseListedHost(text: string): string {
  const authority = parseAuthority(text);
  if (authority !== undefined && authority.port === undefined) return authority.name;
  throw new TypeError(`${show(text)} is no host name; expected one such as "locks.example", without a port`);
}

function parseAuthority(text: string): Authority | undefined {
  const [, host = '', port = ''] = AUTHORITY.exec(text) ?? [];
  const name = canonicalName(host);
  if (name === undefined || Number(port) > MAX_PORT) return undefined;
  return { name, port: port === '' ? undefined : Number(port) };
}

function parseOrigin(text: string): Origin | undefined {
  const [, givenScheme, host = '', givenPort, path] = ORIGIN.exec(text) ?? [];
  if (givenScheme === undefined) return undefined;
  const scheme = givenScheme.toLowerCase();
  const defaultPort = DEFAULT_PORTS[scheme];
  const port = givenPort === undefined || Number(givenPort) === defaultPort ? undefined : Number(givenPort);
  // Only web origins always have a host: `file://` has none, and the host of an extension is its id.
  const name = defaultPort === undefined ? host.toLowerCase() : canonicalName(host);
  if (name === undefined || (port ?? 0) > MAX_PORT || (path !== undefined && defaultPort === undefined))
    return undefined;
  const shownName = name.includes(':') ? `[${name}]` : name;
  const shown = `${scheme}://${shownName}${port === undefined ? '' : `:${port}`}`;
  return { text: shown, name, port, defaultPort, hasPath: path !== undefined };
}

/**
 * Returns a name in lower-case ASCII without the final dot, and an address in its shortest form; undefined for anything
 * else.
 */
function canonicalName(host: string): string | undefined {
  if (host === '' || !URL.canParse(`http://${host}`)) return undefined;
  return new URL(`http://${host}`).hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '') || undefined;
}

function malformedHost(hosts: readonly string[]): PageAnswer {
  const found = hosts.length === 1 ? show(hosts[0]) : `there ${hosts.length} times`;
  const why = `the Host of its handshake is ${found}; expected one name or address`;
  return { kind: 'refused', status: 400, cause: { reason: 'webSocketHandshake', why } };
}

function malformedOrigin(origins: readonly string[]): PageAnswer {
  const found = origins.length === 1 ? show(origins[0]) : `there ${origins.length} times`;
  const why = `the Origin of its handshake is ${found}, which cannot be allowed`;
  return { kind: 'refused', status: 403, cause: { reason: 'origin', why } };
}

function originNotListed(origin: string): PageAnswer {
  const remedy = `add ${show(origin)} to "origins" in the settings`;
  const cause = { reason: 'origin', why: `pages of ${show(origin)} are not allowed`, remedy } as const;
  return { kind: 'refused', status: 403, cause };
}

function hostNotListed(name: string): PageAnswer {
  const remedy = `add ${show(name)} to "hosts" in the settings`;
  const cause = { reason: 'host', why: `a page calls the server ${show(name)}, which is not allowed`, remedy } as const;
  return { kind: 'refused', status: 403, cause };
}
