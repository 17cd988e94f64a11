/** A watch of some keys, on a stream of its own. */

import type { EtcdConnection, EtcdStream } from './etcd-connection.ts';
import type { EtcdEndpoints } from './etcd-endpoints.ts';
import { EtcdError, toEtcdError } from './etcd-error.ts';
import type { EtcdMethods, WatchCreateRequest, WatchResponse } from './etcd-messages.ts';

/** Who hears of a watch. */
export interface WatchListener {
  /** Some of the keys changed. */
  received(response: WatchResponse): void;
  /** The watch is over; called once. */
  failed(error: EtcdError): void;
}

export interface WatchOptions {
  readonly method: EtcdMethods['watch'];
  /** How long an endpoint may take to begin. */
  readonly timeoutMs: number;
  readonly createRequest: WatchCreateRequest;
  readonly listener: WatchListener;
}

const INVALID_ARGUMENT = 3;

/** Begins at one endpoint after the other, as long as they fail as endpoints do. Returns a function that stops it. */
export function startWatch(endpoints: EtcdEndpoints, options: WatchOptions): () => void {
  const { listener } = options;
  let state: 'watching' | 'over' = 'watching';
  let stream: WatchStream | undefined;
  const failed = (error: EtcdError): void => {
    if (state === 'over') return;
    state = 'over';
    listener.failed(error);
  };
  const begin = async (connection: EtcdConnection, token: string | undefined): Promise<void> => {
    if (state === 'over') return;
    const leave = (error: EtcdError): void => {
      endpoints.leave(connection, error);
      failed(error);
    };
    stream = new WatchStream(connection, token, { ...options, listener: { ...listener, failed: leave } });
    await stream.begun;
  };
  endpoints.tryEach(begin, true).catch(failed);
  return () => {
    state = 'over';
    stream?.stop();
  };
}

class WatchStream {
  /** Resolves once etcd watches. Rejects with an EtcdError when it does not; then the listener hears nothing. */
  readonly begun: Promise<void>;
  readonly #connection: EtcdConnection;
  readonly #options: WatchOptions;
  readonly #stream: EtcdStream<{ readonly createRequest: WatchCreateRequest }>;
  #state: 'beginning' | 'watching' | 'over' = 'beginning';
  #timer: NodeJS.Timeout | undefined;
  #begin: () => void = () => {};
  #refuse: (error: EtcdError) => void = () => {};

  constructor(connection: EtcdConnection, token: string | undefined, options: WatchOptions) {
    const { method, timeoutMs, createRequest } = options;
    this.#connection = connection;
    this.#options = options;
    this.begun = new Promise((resolve, reject) => {
      this.#begin = resolve;
      this.#refuse = reject;
    });
    this.#timer = setTimeout(() => this.#fail(this.#stream.giveUp()), timeoutMs);
    this.#stream = connection.stream(method, token, {
      received: (response) => this.#received(response),
      failed: (error) => this.#fail(error),
    });
    this.#stream.send({ createRequest });
  }

  /** Nothing more is heard of it; a watch that has not begun is refused. */
  stop(): void {
    if (this.#state === 'beginning') this.#refuse(new EtcdError('failed', 'the watch was stopped'));
    this.#state = 'over';
    clearTimeout(this.#timer);
    this.#stream.close();
  }

  #received(response: WatchResponse): void {
    if (response.canceled) {
      this.#fail(this.#whyCanceled(response));
      return;
    }
    if (response.created) {
      clearTimeout(this.#timer);
      this.#state = 'watching';
      this.#begin();
    }
    if (response.events.length > 0) this.#options.listener.received(response);
  }

  #whyCanceled({ compactRevision, cancelReason }: WatchResponse): EtcdError {
    const { endpoint } = this.#connection;
    if (compactRevision === '0') {
      return toEtcdError(endpoint, { code: INVALID_ARGUMENT, details: cancelReason }, this.#options.timeoutMs);
    }
    const message = `etcd at ${endpoint} keeps nothing from before revision ${compactRevision}: read anew`;
    return new EtcdError('compacted', message);
  }

  #fail(error: EtcdError): void {
    const { listener } = this.#options;
    if (this.#state === 'beginning') this.#refuse(error);
    else if (this.#state === 'watching') listener.failed(error);
    this.#state = 'over';
    this.stop();
  }
}
