/** Takes WebSocket handshakes with an HTTP server that can only upgrade, and that says why when it refuses. */

import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
// Imports the whole module: under Jest's jsdom environment the package has none of these names, and would not link.
import * as ws from 'ws';
import { foreignProtocol } from '../message/refusal-causes.ts';
import { type ConnectionRefusalReason, explain, type RefusalCause } from '../message/refusals.ts';
import { show } from '../message/show.ts';
import { startTimeout } from '../message/timeout.ts';
import type { PageAccess, PageHeaders } from './page-access.ts';
import type { Arrival } from './tcp.ts';

/** The options of `Handshakes`. */
interface HandshakesOptions {
  readonly access: PageAccess;
  readonly timeoutMs: number;
  readonly maxMessageBytes: number;
}

/** A connection with an unfinished handshake, and the callbacks for its end. */
interface Guest extends Arrival {
  readonly upgraded: (connection: ws.WebSocket) => void;
  state: 'waiting' | 'refused';
}

/** How many fragments a message may have. */
export const MAX_FRAGMENTS = 16_384;

/** Reports at most this many different names that programs call the server by. */
const MAX_NOTICED_NAMES = 100;

type Cause = RefusalCause<ConnectionRefusalReason>;

/** Upgrades connections to WebSocket. */
export class Handshakes {
  /** Asked in each handshake. */
  access: PageAccess;
  readonly #options: Omit<HandshakesOptions, 'access'>;
  // Lets a handshake without `Host` through, to refuse it below with the reason.
  readonly #server: Server = createServer({ requireHostHeader: false });
  readonly #upgrades: ws.WebSocketServer;
  readonly #guests = new Map<Socket, Guest>();
  readonly #noticedNames = new Set<string>();

  constructor({ access, ...options }: HandshakesOptions) {
    this.access = access;
    this.#options = options;
    const { maxMessageBytes: maxPayload } = options;
    this.#upgrades = new ws.WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload,
      maxFragments: MAX_FRAGMENTS,
      // The stream does it, since `ws` does not tell why it closes a connection with too many of them.
      autoPong: false,
    });
    this.#upgrades.on('wsClientError', (error, socket) => {
      this.#refuse(socket as Socket, 400, handshakeCause(error.message), 'Sec-WebSocket-Version: 13\r\n');
    });
    this.#server.on('request', ({ socket }) => this.#refuseRequest(socket));
    this.#server.on('connect', (_request, socket) => this.#refuseRequest(socket as Socket));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head));
    this.#server.on('clientError', (error, socket) => this.#refuseBytes(error, socket as Socket));
  }

  /** Takes the handshake of a connection. Calls `upgraded` when it succeeds. */
  admit(socket: Socket, guest: Omit<Guest, 'state'>): void {
    this.#guests.set(socket, { ...guest, state: 'waiting' });
    // The HTTP server's own timeouts begin when it listens, and this one never does.
    const stopTimeout = startTimeout(this.#options.timeoutMs, () => this.#giveUp(socket));
    socket.on('close', () => {
      stopTimeout();
      this.#guests.delete(socket);
    });
    this.#server.emit('connection', socket);
  }

  /** Closes the connections with an unfinished handshake. */
  close(): void {
    for (const socket of this.#guests.keys()) socket.destroy();
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const guest = this.#guests.get(socket);
    if (guest === undefined) return;
    const answer = this.access.answer(pageHeadersOf(request));
    if (answer.kind === 'refused') {
      this.#refuse(socket, answer.status, answer.cause);
    } else if (guest.obstacle !== undefined) {
      this.#refuse(socket, 503, guest.obstacle);
    } else {
      this.#upgrades.handleUpgrade(request, socket, head, (connection) => {
        this.#guests.delete(socket);
        if ('unlistedName' in answer) this.#notice(guest, answer.unlistedName);
        guest.upgraded(connection);
      });
    }
  }

  /** Reports each name once. */
  #notice({ address, events }: Guest, name: string): void {
    if (this.#noticedNames.has(name) || this.#noticedNames.size >= MAX_NOTICED_NAMES) return;
    this.#noticedNames.add(name);
    const needed = 'a page that does so needs "hosts" or "origins" in the settings';
    events.noticed?.({ address, host: name }, `a program at ${address} calls this server ${show(name)}; ${needed}`);
  }

  #refuseRequest(socket: Socket): void {
    this.#refuse(socket, 426, handshakeCause('it asks for no upgrade to WebSocket'), 'Upgrade: websocket\r\n');
  }

  /** Refuses bytes that are not valid HTTP. */
  #refuseBytes(error: NodeJS.ErrnoException & { readonly rawPacket?: Buffer }, socket: Socket): void {
    const { code = error.message, rawPacket } = error;
    if (code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const foreign = foreignProtocol(rawPacket ?? Buffer.alloc(0));
    if (foreign.remedy !== undefined) this.#refuse(socket, 400, foreign);
    else this.#refuse(socket, code === 'HPE_HEADER_OVERFLOW' ? 431 : 400, handshakeCause(code));
  }

  #giveUp(socket: Socket): void {
    const guest = this.#guests.get(socket);
    if (guest === undefined) return;
    const why = `its WebSocket handshake did not end within ${this.#options.timeoutMs} ms`;
    if (guest.state === 'waiting') report(guest, { reason: 'handshakeTimeout', why });
    socket.destroy();
  }

  #refuse(socket: Socket, status: number, cause: Cause, headers = ''): void {
    const guest = this.#guests.get(socket);
    if (guest === undefined || guest.state === 'refused') return;
    report(guest, cause);
    const body = `${explain(cause)}\n`;
    const type = 'Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n';
    const length = `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n${headers}${type}${length}\r\n`;
    socket.on('error', () => {});
    socket.end(head + body, () => socket.destroy());
  }
}

function report(guest: Guest, cause: Cause): void {
  guest.state = 'refused';
  guest.events.refused({ ...cause, address: guest.address });
}

function handshakeCause(what: string): Cause {
  return { reason: 'webSocketHandshake', why: `it sent no valid handshake of WebSocket (${what})` };
}

/** Browsers with version 8 of the protocol send `Sec-WebSocket-Origin` instead of `Origin`. */
function pageHeadersOf({ headersDistinct: headers }: IncomingMessage): PageHeaders {
  const { host: hosts = [], origin = [] } = headers;
  return { origins: [...origin, ...(headers['sec-websocket-origin'] ?? [])], hosts };
}
