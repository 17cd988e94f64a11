/** Keeps a listener open while those who serve its connections take turns: the standby, and a server that leads for a while. */

import type { ByteStream, Listener, ListenerEvents } from '../message/byte-stream.ts';
import type { Place } from '../message/connection-places.ts';
import { FencedStream } from './fenced-stream.ts';

export class SharedListener {
  readonly #listener: Listener;
  readonly #standby: ListenerEvents;
  #current: ListenerEvents;
  #address = '';

  constructor(listener: Listener, standby: ListenerEvents) {
    this.#listener = listener;
    this.#standby = standby;
    this.#current = standby;
  }

  /** Starts to listen, for the standby; resolves to the address. Rejects with the system's error. */
  async open(): Promise<string> {
    this.#address = await this.#listener.open({
      accepted: (stream, place) => this.#current.accepted(stream, place),
      refused: (refusal) => this.#current.refused(refusal),
      arrived: (address, socket) => (this.#current.arrived ?? noHandshakes)(address, socket),
      noticed: (details, message) => this.#current.noticed?.(details, message),
      failed: (error) => this.#current.failed(error),
    });
    return this.#address;
  }

  close(): Promise<void> {
    return this.#listener.close();
  }

  /** A listener for a server that leads: its connections are the server's until it closes that. */
  lend(isLeading: () => boolean): Listener {
    let borrower: ListenerEvents | undefined;
    return {
      open: (events) => {
        borrower = {
          ...events,
          accepted: (stream: ByteStream, place?: Place) => events.accepted(new FencedStream(stream, isLeading), place),
        };
        this.#current = borrower;
        return Promise.resolve(this.#address);
      },
      close: () => {
        if (this.#current === borrower) this.#current = this.#standby;
        return Promise.resolve();
      },
    };
  }
}

function noHandshakes(): never {
  throw new Error('whoever serves a listener with handshakes must have places for them');
}
