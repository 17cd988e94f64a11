/** The token that etcd gives for a user and a password. */

import type { EtcdConnection } from './etcd-connection.ts';
import type { EtcdMethods } from './etcd-messages.ts';

export class EtcdLogin {
  readonly #method: EtcdMethods['authenticate'];
  readonly #name: string | undefined;
  readonly #password: string;
  /** All members know it. A promise while it is asked for. */
  #token: Promise<string> | undefined;

  constructor(method: EtcdMethods['authenticate'], name: string | undefined, password: string | undefined) {
    this.#method = method;
    this.#name = name;
    this.#password = password ?? '';
  }

  /** Resolves to the token; undefined where there is no user. Rejects with an EtcdError. */
  async token(connection: EtcdConnection): Promise<string | undefined> {
    if (this.#name === undefined) return undefined;
    if (this.#token === undefined) {
      const asked = this.#ask(connection, this.#name);
      this.#token = asked;
      asked.catch(() => this.forget(asked));
    }
    return await this.#token;
  }

  /** Asks for another one next time, if this is still the one in use. */
  forget(token: Promise<string> | undefined = this.#token): void {
    if (this.#token === token) this.#token = undefined;
  }

  async #ask(connection: EtcdConnection, name: string): Promise<string> {
    const { token } = await connection.call(this.#method, { name, password: this.#password }, undefined);
    return token;
  }
}
