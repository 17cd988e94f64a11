/** Which pages may connect by WebSocket, told by the headers `Origin` and `Host` of the handshake. */

import { isIP } from 'node:net';
import type { ConnectionRefusalReason, RefusalCause } from '../message/refusals.ts';
import { show } from '../message/show.ts';

/** The values of both headers, each as often as it came. */
export interface PageHeaders {
  readonly origins: readonly string[];
  readonly hosts: readonly string[];
}

/** How a handshake may end that is well formed. */
export type PageAnswer =
  | { readonly kind: 'allowed' }
  /** A program that says no origin calls the server by a name that is not listed. */
  | { readonly kind: 'allowed'; readonly unlistedName: string }
  | { readonly kind: 'refused'; readonly status: 400 | 403; readonly cause: RefusalCause<ConnectionRefusalReason> };

/** A host and its port, if there is one, in the one form that compares. */
interface Authority {
  readonly name: string;
  readonly port: number | undefined;
}

interface Origin extends Authority {
  /** As a browser says it: in lower case, without the default port. */
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
 * A page may connect when its origin is listed; or when it is the server's own by `Host`, which must then be an address,
 * `localhost` or a listed name, so that nobody's name that was pointed to this machine lets a page in. Programs say no
 * origin, or one with a path, which no browser does; they may, whatever they call the server.
 */
export class PageAccess {
  readonly #origins: ReadonlySet<string>;
  readonly #hosts: ReadonlySet<string>;
  readonly #isSecure: boolean;

  /**
   * `isSecure`: the listener has TLS.
   * @throws TypeError that names the first entry that is no origin, or no host name.
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

  /** A port that is left out is the default: of TLS here, or of the page, whose proxy may have TLS for both. */
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
 * An origin of the settings as a browser says it.
 * @throws TypeError when it is none that a page could have.
 */
export function parseListedOrigin(text: string): string {
  // People write a slash behind it, where browsers never do.
  const origin = parseOrigin(text.replace(/([^/])\/$/, '$1'));
  if (origin !== undefined && !origin.hasPath) return origin.text;
  throw new TypeError(`${show(text)} is no origin of a page; expected one such as "https://intranet.example"`);
}

/**
 * A host name of the settings in the form that compares.
 * @throws TypeError when it is none.
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
  // Only the origins of the web have a host for certain: `file://` has none, and that of an extension is its id.
  const name = defaultPort === undefined ? host.toLowerCase() : canonicalName(host);
  if (name === undefined || (port ?? 0) > MAX_PORT || (path !== undefined && defaultPort === undefined))
    return undefined;
  const shownName = name.includes(':') ? `[${name}]` : name;
  const shown = `${scheme}://${shownName}${port === undefined ? '' : `:${port}`}`;
  return { text: shown, name, port, defaultPort, hasPath: path !== undefined };
}

/** In lower case and ASCII, addresses in their shortest form, without the dot at the end. Undefined for what is none. */
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
