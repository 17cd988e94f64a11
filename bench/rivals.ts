/** Two who want one lock, each with a connection of its own: what bench/release-to-grant.ts measures, for each server. */

import { setTimeout as delay } from 'node:timers/promises';
import { LockClient, type LockHandle } from 'holdfast';
import { EtcdSession } from './etcd-lock.ts';
import { connectToPostgres, countWaiters, lockAdvisory, unlockAdvisory } from './postgres-lock.ts';
import { RedisLocks } from './redis-lock.ts';

/**
 * Etcd takes up new watches every 100 ms only: who has begun to wait just before the release gets its lock up to so much
 * later. Measured is what comes after that.
 */
const ETCD_SETTLING_MS = 150;

/** One of the two. */
export interface Rival {
  /** Resolves when it has the lock, however long that takes. */
  lock(): Promise<void>;
  unlock(): Promise<void>;
  /** Resolves once a call of `lock` is known to wait. */
  whenWaiting(): Promise<void>;
}

/** The two, who are never the same connection. */
export interface Rivals {
  readonly both: readonly [Rival, Rival];
  close(): Promise<void>;
}

/** How one who finds a lock taken asks again: `delayMs` later, more or less up to `jitterMs`. */
export interface Polling {
  readonly delayMs: number;
  readonly jitterMs: number;
}

export async function holdfastRivals(port: number, lockName: string): Promise<Rivals> {
  const clients = [await LockClient.connect({ port }), await LockClient.connect({ port })] as const;
  const rival = (client: LockClient): Rival => {
    let held: LockHandle | undefined;
    return {
      lock: async () => {
        held = await client.lock(lockName, { waitMs: Number.POSITIVE_INFINITY });
      },
      unlock: async () => {
        if (!(await held?.release())) throw new Error(`the lock ${lockName} was not held when it was released`);
      },
      // Answered behind the request for the lock.
      whenWaiting: async () => {
        await client.rpc('ping');
      },
    };
  };
  return {
    both: [rival(clients[0]), rival(clients[1])],
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}

/** A Redis lock has no queue: who finds it taken asks again later. */
export async function redisRivals(port: number, lockName: string, polling: Polling): Promise<Rivals> {
  const connections = [await RedisLocks.connect(port), await RedisLocks.connect(port)] as const;
  return {
    both: [new PollingRival(connections[0], lockName, polling), new PollingRival(connections[1], lockName, polling)],
    close: async () => {
      await Promise.all(connections.map((locks) => locks.close()));
    },
  };
}

class PollingRival implements Rival {
  readonly #locks: RedisLocks;
  readonly #lockName: string;
  readonly #polling: Polling;
  #value = '';
  #tellRefused: () => void = () => {};
  #refused: Promise<void> = Promise.resolve();

  constructor(locks: RedisLocks, lockName: string, polling: Polling) {
    this.#locks = locks;
    this.#lockName = lockName;
    this.#polling = polling;
  }

  async lock(): Promise<void> {
    this.#refused = new Promise((resolve) => {
      this.#tellRefused = resolve;
    });
    for (;;) {
      const value = await this.#locks.tryLock(this.#lockName);
      if (value !== undefined) {
        this.#value = value;
        return;
      }
      this.#tellRefused();
      const { delayMs, jitterMs } = this.#polling;
      await delay(delayMs + (Math.random() * 2 - 1) * jitterMs);
    }
  }

  async unlock(): Promise<void> {
    await this.#locks.unlock(this.#lockName, this.#value);
  }

  /** The release has to come at any time between two attempts, as likely as at any other. */
  async whenWaiting(): Promise<void> {
    await this.#refused;
    await delay(Math.random() * 2 * this.#polling.delayMs);
  }
}

export async function postgresRivals(port: number, key: bigint): Promise<Rivals> {
  const clients = [await connectToPostgres(port), await connectToPostgres(port)] as const;
  const observer = await connectToPostgres(port);
  const whenWaiting = async (): Promise<void> => {
    while ((await countWaiters(observer, key)) === 0);
  };
  const [first, second] = clients.map((client) => ({
    lock: () => lockAdvisory(client, key),
    unlock: () => unlockAdvisory(client, key),
    whenWaiting,
  })) as [Rival, Rival];
  return {
    both: [first, second],
    close: async () => {
      await Promise.all([...clients, observer].map((client) => client.end()));
    },
  };
}

export async function etcdRivals(port: number, lockName: string): Promise<Rivals> {
  const sessions = [await EtcdSession.open(port), await EtcdSession.open(port)] as const;
  const rival = (session: EtcdSession): Rival => {
    let key = '';
    return {
      lock: async () => {
        key = await session.lock(lockName);
      },
      unlock: () => session.unlock(key),
      whenWaiting: async () => {
        while ((await session.countKeys(lockName)) < 2);
        await delay(ETCD_SETTLING_MS);
      },
    };
  };
  return {
    both: [rival(sessions[0]), rival(sessions[1])],
    close: async () => {
      await Promise.all(sessions.map((session) => session.close()));
    },
  };
}
