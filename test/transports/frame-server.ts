/** A WebSocket server without a protocol: a test accepts its connections one by one and answers by hand. */

import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { whenTestEnds } from '../server/clean-up.ts';
import { Inbox } from '../server/inbox.ts';

/** One connection, with the frames that came. */
export interface FrameConnection {
  readonly webSocket: WebSocket;
  /** Each frame as `text:` or `binary:` and its content, in Latin-1. */
  readonly frames: Inbox<string>;
  readonly closed: Promise<number>;
}

/** Closed with all its connections when the test ends. */
export class FrameServer {
  readonly #server: WebSocketServer;
  readonly #connections = new Inbox<FrameConnection>();

  /** Starts one, which sends the greeting to each connection at once. */
  static async start(greeting?: string): Promise<FrameServer> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    whenTestEnds(() => {
      for (const client of server.clients) client.terminate();
      server.close();
    });
    await new Promise((resolve) => server.once('listening', resolve));
    return new FrameServer(server, greeting);
  }

  private constructor(server: WebSocketServer, greeting: string | undefined) {
    this.#server = server;
    server.on('connection', (webSocket) => {
      const frames = new Inbox<string>();
      webSocket.on('message', (data, isBinary) =>
        frames.push(`${isBinary ? 'binary' : 'text'}:${(data as Buffer).toString('latin1')}`),
      );
      webSocket.on('error', () => {});
      const closed = new Promise<number>((resolve) => {
        webSocket.once('close', resolve);
      });
      if (greeting !== undefined) webSocket.send(greeting);
      this.#connections.push({ webSocket, frames, closed });
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  accept(): Promise<FrameConnection> {
    return this.#connections.next();
  }
}
