/** The proxies that a listener trusts to tell where their clients are. */

import type { Socket } from 'node:net';
import type { ListenerEvents } from '../message/byte-stream.ts';
import { Place } from '../message/connection-places.ts';
import { AllowList } from './allow-list.ts';
import { turnAway } from './listening.ts';
import type { ProxySource } from './proxy-header.ts';
import { readProxyHeader } from './proxy-reading.ts';

/** Where a new connection comes from. */
export interface Origin extends ProxySource {
  /** The length of the proxy's header, which was read as a stream; 0 for a direct connection. */
  readonly headerBytes: number;
}

/** Reads the headers that they send. */
export class Proxies {
  readonly #timeoutMs: number;
  #addresses: AllowList;
  /** Connections without a whole header. */
  readonly #beginning = new Set<Socket>();

  /** @throws TypeError for an entry that is neither an address nor a range. */
  constructor(addresses: readonly string[], timeoutMs: number) {
    this.#addresses = new AllowList(addresses);
    this.#timeoutMs = timeoutMs;
  }

  /** Returns a function that makes other addresses hold for new connections. @throws TypeError as the constructor. */
  prepare(addresses: readonly string[]): () => void {
    const list = new AllowList(addresses);
    return () => {
      this.#addresses = list;
    };
  }

  trusts(address: string): boolean {
    return this.#addresses.allows(address);
  }

  /** Calls `enter` once the proxy has told where its client is. Until then the connection counts for the address of the proxy. */
  receive(socket: Socket, proxy: Origin, events: ListenerEvents, enter: (origin: Origin) => void): void {
    const { address } = proxy;
    const place = events.arrived?.(address, socket);
    if (place !== undefined && !(place instanceof Place)) {
      turnAway(socket);
      events.refused({ ...place, address });
      return;
    }
    this.#beginning.add(socket);
    readProxyHeader(socket, this.#timeoutMs, (reading) => {
      this.#beginning.delete(socket);
      place?.free();
      if (reading !== 'gone' && 'length' in reading) {
        enter({ ...(reading.source ?? proxy), headerBytes: reading.length });
        return;
      }
      turnAway(socket);
      if (reading !== 'gone') events.refused({ ...reading, address });
    });
  }

  /** Closes the connections without a whole header. */
  close(): void {
    for (const socket of this.#beginning) socket.destroy();
  }
}
