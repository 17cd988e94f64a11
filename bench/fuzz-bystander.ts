/** An honest client beside the peers of the fuzz program: it holds one lock all the time, and takes another over and over. */

import { setTimeout as pause } from 'node:timers/promises';
import { LockClient, type LockHandle } from 'holdfast';
import { HELD_NAME } from './fuzz-traffic.ts';

const NAME = 'bystander';
const MAX_WAIT_MS = 10_000;

/** Collects what went wrong for it. */
export class Bystander {
  readonly violations: string[] = [];
  readonly #client: LockClient;
  readonly #held: LockHandle;
  readonly #turns: Promise<void>;
  #turnCount = 0;
  #state: 'running' | 'stopping' = 'running';

  /** Connects to a server on 127.0.0.1 and begins. */
  static async start(port: number): Promise<Bystander> {
    const client = await LockClient.connect({ port, reconnect: false });
    return new Bystander(client, await client.lock(HELD_NAME));
  }

  private constructor(client: LockClient, held: LockHandle) {
    this.#client = client;
    this.#held = held;
    held.signal.addEventListener('abort', () => this.violations.push(`the held lock was lost: ${held.signal.reason}`));
    this.#turns = this.#takeTurns().catch((error: Error) => {
      this.violations.push(`the bystander failed: ${error.stack ?? error}`);
    });
  }

  /** How often it took its other lock. */
  get turnCount(): number {
    return this.#turnCount;
  }

  /** Resolves once no other client is connected; false if there still is one after a while. */
  async untilAlone(waitMs: number): Promise<boolean> {
    const endMs = performance.now() + waitMs;
    while (performance.now() < endMs) {
      if ((await this.#client.stats()).openConnections === 1) return true;
      await pause(20);
    }
    return false;
  }

  /** Looks whether it still has its lock, and whether the server failed at anything; then leaves. */
  async stop(): Promise<void> {
    this.#state = 'stopping';
    await this.#turns;
    try {
      const { holders } = await this.#client.inspect(HELD_NAME);
      const tokens = holders.map(({ token }) => token).join();
      if (tokens !== String(this.#held.token)) this.violations.push(`the held lock is held by ${tokens || 'nobody'}`);
      const { failedRequests } = await this.#client.stats();
      if (failedRequests > 0) this.violations.push(`${failedRequests} handlers threw`);
      await this.#held.release();
      await this.#client.close();
    } catch (error) {
      this.violations.push(`the bystander could not leave: ${error}`);
    }
  }

  async #takeTurns(): Promise<void> {
    let lastToken = this.#held.token;
    while (this.#state === 'running') {
      const handle = await this.#client.lock(NAME, { waitMs: MAX_WAIT_MS });
      if (handle.token <= lastToken) this.violations.push(`token ${handle.token} came after ${lastToken}`);
      lastToken = handle.token;
      if (!(await handle.release())) this.violations.push('a lock was lost before its release');
      this.#turnCount += 1;
      await pause(1);
    }
  }
}
