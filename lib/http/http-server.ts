/** Serves HTTP for people and monitors: checks who asks and for what, and bounds what they can take. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP, type Socket } from 'node:net';

const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 15_000;
const CHECK_TIMEOUTS_MS = 2_000;
const MAX_HEADER_BYTES = 16_384;
const MAX_SHOWN = 100;
/** Names may be long, and a percent sign triples a byte: the header's bound is what counts. */
const BASE_URL = 'http://localhost';

/** No other page may frame this one, and this one loads nothing from elsewhere. */
const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'; style-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** A request cannot be answered. Has the status of the answer, and a message for people. */
export class HttpError extends Error {
  override readonly name: string = 'HttpError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What a request asks for. */
export interface HttpRequest {
  readonly path: string;
  readonly parameters: URLSearchParams;
  /** Whether the client still waits for the answer. */
  readonly isWanted: () => boolean;
}

/** An answer that is there as a whole, or one that goes on until the client leaves. */
export type HttpAnswer =
  | { readonly status: number; readonly type: string; readonly body: string | Uint8Array }
  | { readonly type: 'text/event-stream'; readonly start: (response: ServerResponse) => void };

/** Answers a path. It may throw an `HttpError`, or reject with one. */
export type HttpRoute = (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;

/** Why a request, or a whole connection, was turned away. */
export interface HttpRefusal {
  readonly reason: 'allowList' | 'host';
  readonly address: string;
  readonly why: string;
  readonly remedy: string;
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Names by which the server may be called, beside its addresses and `localhost`; in lower case. */
  readonly hosts: readonly string[];
  readonly maxConnections: number;
  readonly isAllowed: (address: string) => boolean;
  readonly routes: ReadonlyMap<string, HttpRoute>;
  readonly refused: (refusal: HttpRefusal) => void;
  /** A route failed in a way that it did not foresee. */
  readonly failed: (error: unknown, path: string) => void;
}

export class HttpServer {
  readonly #options: HttpServerOptions;
  #hosts: ReadonlySet<string>;
  readonly #server: Server;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#hosts = new Set(options.hosts);
    this.#server = createServer(
      { connectionsCheckingInterval: CHECK_TIMEOUTS_MS, maxHeaderSize: MAX_HEADER_BYTES },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.headersTimeout = HEADERS_TIMEOUT_MS;
    this.#server.requestTimeout = REQUEST_TIMEOUT_MS;
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.#server.maxConnections = options.maxConnections;
    this.#server.on('connection', (socket: Socket) => this.#admit(socket));
  }

  /** Makes other names hold by which it may be called. */
  setHosts(hosts: readonly string[]): void {
    this.#hosts = new Set(hosts);
  }

  /** Listens; resolves to the URL. Rejects with the system's error, such as `EADDRINUSE`. */
  async listen(): Promise<string> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, exclusive: true }, resolve);
    });
    this.#server.on('error', (error) => this.#options.failed(error, ''));
    const { address, family, port: bound } = this.#server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}/`;
  }

  /** Closes the listener and all connections; resolves when they are gone. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #admit(socket: Socket): void {
    const { remoteAddress: address = '' } = socket;
    if (this.#options.isAllowed(address)) return;
    const why = 'the address is not allowed to ask by HTTP';
    this.#options.refused({
      reason: 'allowList',
      address,
      why,
      remedy: `add "${address}" to "http.allowed" in the settings`,
    });
    socket.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // It waits behind the answer to another request, and would not be told that the client left.
    if (response.socket === null) {
      request.socket.destroy();
      return;
    }
    try {
      const answer = await this.#answer(request, response);
      if (answer !== undefined && !response.destroyed) send(response, answer);
    } catch (error) {
      if (!(error instanceof HttpError)) this.#options.failed(error, request.url ?? '');
      const { status, message } = error instanceof HttpError ? error : INTERNAL;
      if (!response.headersSent) send(response, { status, type: 'text/plain', body: `${message}\n` });
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<HttpAnswer> {
    this.#check(request);
    const { pathname, searchParams } = parseTarget(request.url);
    const route = this.#options.routes.get(pathname);
    if (route === undefined) throw new HttpError(404, 'there is no such page');
    return await route({ path: pathname, parameters: searchParams, isWanted: () => !response.destroyed });
  }

  #check({ headers, method, socket }: IncomingMessage): void {
    if (!isTrustedHost(headers.host, this.#hosts)) {
      const why = `the Host of an HTTP request is ${showHost(headers.host)}`;
      const remedy = 'add the name to "http.hosts" in the settings';
      this.#options.refused({ reason: 'host', address: socket.remoteAddress ?? '', why, remedy });
      throw new HttpError(
        403,
        `refused: ${why}; expected an address, localhost, or a name in "http.hosts" of the settings`,
      );
    }
    if (method !== 'GET') throw new HttpError(405, `the method is ${method}; expected GET`);
  }
}

const INTERNAL = new HttpError(500, 'the request failed; the log of the server tells why');

function parseTarget(target = '/'): URL {
  if (target.startsWith('/') && URL.canParse(BASE_URL + target)) return new URL(BASE_URL + target);
  throw new HttpError(400, 'the target of the request is no path');
}

function send(response: ServerResponse, answer: HttpAnswer): void {
  if ('start' in answer) {
    response.writeHead(200, { ...COMMON_HEADERS, 'content-type': 'text/event-stream; charset=utf-8' });
    answer.start(response);
    return;
  }
  const { status, type, body } = answer;
  const charset = type.includes('charset') || type.startsWith('image/') ? '' : '; charset=utf-8';
  const allow = status === 405 ? { allow: 'GET' } : {};
  response.writeHead(status, { ...COMMON_HEADERS, ...allow, 'content-type': type + charset }).end(body);
}

/**
 * Whether a request with this `Host` is meant for this server: an address, `localhost` or a listed name, with any port. Else any page
 * could point a name at this machine and read it.
 */
function isTrustedHost(header: string | undefined, hosts: ReadonlySet<string>): boolean {
  const [, inBrackets, plain = ''] = /^(?:\[([\da-f:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/i.exec(header ?? '') ?? [];
  if (inBrackets !== undefined) return isIP(inBrackets) === 6;
  const name = plain.toLowerCase().replace(/\.$/, '');
  return isIP(name) === 4 || name === 'localhost' || hosts.has(name);
}

/** The header as people may see it in a line of the log. */
function showHost(header: string | undefined): string {
  return header === undefined ? 'missing' : JSON.stringify(header.slice(0, MAX_SHOWN));
}
