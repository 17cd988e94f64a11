/** The stream that keeps leases alive: one answer to each request. */

import type { EtcdConnection, EtcdStream } from './etcd-connection.ts';
import type { EtcdError } from './etcd-error.ts';
import type { EtcdMethods, LeaseResponse } from './etcd-messages.ts';

interface Asked {
  readonly resolve: (response: LeaseResponse) => void;
  readonly reject: (error: EtcdError) => void;
  readonly timer: NodeJS.Timeout;
}

export class LeaseStream {
  readonly connection: EtcdConnection;
  readonly #stream: EtcdStream<{ readonly ID: string }>;
  readonly #timeoutMs: number;
  /** By lease, in the order in which they were asked. */
  readonly #asked = new Map<string, Asked[]>();
  #state: 'open' | 'over' = 'open';

  constructor(
    method: EtcdMethods['leaseKeepAlive'],
    connection: EtcdConnection,
    token: string | undefined,
    timeoutMs: number,
  ) {
    this.connection = connection;
    this.#timeoutMs = timeoutMs;
    this.#stream = connection.stream(method, token, {
      received: (response) => this.#received(response),
      failed: (error) => this.#end(error),
    });
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Resolves to etcd's answer. Rejects with an EtcdError when the stream ends, or when there is no answer in time. */
  ask(id: string): Promise<LeaseResponse> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#end(this.#stream.giveUp()), this.#timeoutMs);
      const asked = this.#asked.get(id) ?? [];
      asked.push({ resolve, reject, timer });
      this.#asked.set(id, asked);
      this.#stream.send({ ID: id });
    });
  }

  /** Ends the stream, and rejects what was asked on it. */
  close(error: EtcdError): void {
    this.#stream.close();
    this.#end(error);
  }

  #received(response: LeaseResponse): void {
    const asked = this.#asked.get(response.ID)?.shift();
    if (asked === undefined) return;
    if (this.#asked.get(response.ID)?.length === 0) this.#asked.delete(response.ID);
    clearTimeout(asked.timer);
    asked.resolve(response);
  }

  #end(error: EtcdError): void {
    this.#state = 'over';
    for (const { reject, timer } of [...this.#asked.values()].flat()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#asked.clear();
  }
}
