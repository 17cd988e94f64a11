/** Gives a server that leads the connections that other nodes forward, for each kind of listener. */

import { Buffer } from 'node:buffer';
import { timingSafeEqual } from 'node:crypto';
import type { ByteStream, Listener, ListenerEvents } from '../message/byte-stream.ts';
import { FencedStream } from './fenced-stream.ts';
import type { ForwardedOrigin } from './forward-header.ts';

export class ForwardedListeners {
  /** By their options as text: nodes have the same, at other addresses. */
  readonly #events = new Map<string, ListenerEvents>();
  /** What the headers of this term must show; empty while this node does not lead. */
  secret = '';

  isRight(secret: string): boolean {
    const [told, right] = [Buffer.from(secret), Buffer.from(this.secret)];
    return right.length > 0 && told.length === right.length && timingSafeEqual(told, right);
  }

  /** Returns why a connection cannot be served, if so. */
  accept(stream: ByteStream, { options }: ForwardedOrigin): string | undefined {
    const key = JSON.stringify(options);
    const events = this.#events.get(key);
    events?.accepted(stream);
    return events === undefined
      ? `no listener of this server has the options ${key}, as one of the other has`
      : undefined;
  }

  /** A listener for the connections that come to listeners with these options. */
  listenerFor(options: object, isLeading: () => boolean): Listener {
    const key = JSON.stringify(options);
    let borrower: ListenerEvents | undefined;
    return {
      open: (events) => {
        borrower = {
          ...events,
          accepted: (stream, place) => events.accepted(new FencedStream(stream, isLeading), place),
        };
        this.#events.set(key, borrower);
        return Promise.resolve('forwarded');
      },
      close: () => {
        if (this.#events.get(key) === borrower) this.#events.delete(key);
        return Promise.resolve();
      },
    };
  }
}
