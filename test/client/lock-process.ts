/** A client in a process of its own, which follows the orders of the process that forked it. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { LockClient } from '../../lib/client/lock-client.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { whenTestEnds } from '../server/clean-up.ts';

const SELF = fileURLToPath(import.meta.url);

/** An order for the process. */
type Order =
  | { readonly do: 'lock'; readonly name: string; readonly leaseMs?: number }
  | { readonly do: 'check' }
  | { readonly do: 'unref' };

/** Killed when the test ends. */
export class LockProcess {
  /** Resolves to the exit code when the process is gone. */
  readonly exit: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(port: number) {
    this.#child = fork(SELF, [String(port)]);
    this.exit = new Promise((resolve) => {
      this.#child.once('exit', resolve);
    });
    whenTestEnds(() => this.#child.kill('SIGKILL'));
  }

  /** Sends an order and returns the answer. */
  async tell(order: Order): Promise<unknown> {
    const answer = once(this.#child, 'message');
    this.#child.send(order);
    return (await answer)[0];
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

async function serveOrders(port: number): Promise<void> {
  const client = await LockClient.connect({ port });
  let handle: LockHandle | undefined;
  const carryOut = async (order: Order): Promise<string> => {
    if (order.do === 'lock') {
      handle = await client.lock(order.name, { leaseMs: order.leaseMs });
      return 'held';
    }
    if (order.do === 'unref') {
      client.unref();
      return 'let go';
    }
    try {
      handle?.throwIfLost();
      return 'still held';
    } catch (error) {
      return (error as Error).message;
    }
  };
  process.on('message', (order: Order) => {
    void carryOut(order).then((answer) => {
      process.send?.(answer);
      // The channel keeps the process alive just as a client does.
      if (order.do === 'unref') process.disconnect();
    });
  });
}

if (process.argv[1] === SELF) await serveOrders(Number(process.argv[2]));
