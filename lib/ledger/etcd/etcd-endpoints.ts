/** Several endpoints of one etcd: one is used until it fails, then the next. */

import type { EtcdConnection } from './etcd-connection.ts';
import { EtcdError, joinErrors } from './etcd-error.ts';
import type { EtcdLogin } from './etcd-login.ts';

/** Asks one endpoint. `token` is undefined where there is no user. */
export type Attempt<Response> = (connection: EtcdConnection, token: string | undefined) => Promise<Response>;

export class EtcdEndpoints {
  readonly #connections: readonly EtcdConnection[];
  readonly #login: EtcdLogin;
  #current = 0;
  #state: 'open' | 'closed' = 'open';

  constructor(connections: readonly EtcdConnection[], login: EtcdLogin) {
    this.#connections = connections;
    this.#login = login;
  }

  /** The one in use. */
  get connection(): EtcdConnection {
    return this.#connections[this.#current] as EtcdConnection;
  }

  /**
   * Makes an attempt at the endpoint in use, and at each other one as long as they fail as endpoints do and the outcome is known.
   * With `isRepeatable` the outcome does not matter. Rejects with an EtcdError.
   */
  async tryEach<Response>(attempt: Attempt<Response>, isRepeatable: boolean): Promise<Response> {
    const errors: EtcdError[] = [];
    for (;;) {
      if (this.#state === 'closed') throw new EtcdError('failed', 'the client of etcd is closed');
      const { connection } = this;
      try {
        return await this.#try(connection, attempt);
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        errors.push(error);
        this.leave(connection, error);
        const isEnough = !error.isOfEndpoint || errors.length === this.#connections.length;
        if (isEnough || (error.isOutcomeUnknown && !isRepeatable)) throw joinErrors(errors as [EtcdError]);
      }
    }
  }

  /** Uses the next endpoint from now on, if this one failed and is still in use. */
  leave(connection: EtcdConnection, error: EtcdError): void {
    if (error.isOfToken) this.#login.forget();
    if (!error.isOfEndpoint || connection !== this.connection) return;
    this.#current = (this.#current + 1) % this.#connections.length;
  }

  close(): void {
    this.#state = 'closed';
    for (const connection of this.#connections) connection.close();
  }

  /** A token that etcd has forgotten is replaced once; nothing was done with it. */
  async #try<Response>(connection: EtcdConnection, attempt: Attempt<Response>): Promise<Response> {
    try {
      return await attempt(connection, await this.#login.token(connection));
    } catch (error) {
      if (!(error instanceof EtcdError) || !error.isOfToken) throw error;
      this.#login.forget();
      return await attempt(connection, await this.#login.token(connection));
    }
  }
}
