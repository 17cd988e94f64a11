import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import type { LockKind } from '../../lib/locks/types.ts';
import type { LockPage } from '../../lib/protocol.ts';
import { LocalLockManager } from '../../lib/server/local-lock-manager.ts';
import type { HoldersPage, NamesRequest, Pages } from '../../lib/server/lock-manager.ts';
import { DEFAULT_LOCK_SERVER_LIMITS } from '../../lib/server/lock-server-limits.ts';
import { connectTcp } from '../protocols/peers.ts';
import { endTest } from './clean-up.ts';
import { until } from './raw-client.ts';
import { startServer, untilConnections } from './running-server.ts';

const NAMES = 3_000;

/** Keeps for each page that was asked for whether it is still wanted, and how long it may be. */
class WatchedManager extends LocalLockManager {
  readonly wanted: (() => boolean)[] = [];
  readonly lengths: number[] = [];

  override list(request: NamesRequest): Pages<LockPage> {
    return this.#watch(super.list(request));
  }

  override listHolders(kind: LockKind, lockName?: string): Pages<HoldersPage> {
    return this.#watch(super.listHolders(kind, lockName));
  }

  #watch<Page extends object>(pages: Pages<Page>): Pages<Page> {
    return {
      nextPage: (max, isWanted = (): boolean => true) => {
        this.wanted.push(isWanted);
        this.lengths.push(max);
        return pages.nextPage(max, isWanted);
      },
    };
  }
}

describe('the listings of a client', () => {
  afterEach(endTest);

  for (const [protocol, request] of [
    ['messages', '{"command":"list","parameters":{"max":10000},"id":1}\n'],
    ['the line protocol, by holders', 'd\n'],
    ['the line protocol, by names', 'dump\n'],
  ] as const) {
    it(`ask for maxPageEntries at a time, in ${protocol}`, async () => {
      const limits = { ...DEFAULT_LOCK_SERVER_LIMITS, maxPageEntries: 7 };
      const manager = new WatchedManager({ limits });
      const { port } = await startServer(limits, undefined, { manager });
      const peer = await connectTcp(port);
      peer.socket.write(request);
      await until(() => manager.lengths.length > 0);
      expect(new Set(manager.lengths)).to.deep.equal(new Set([7]));
    });

    it(`are wanted until it leaves, in ${protocol}`, async () => {
      const manager = new WatchedManager({ limits: DEFAULT_LOCK_SERVER_LIMITS });
      const { server, port } = await startServer({}, undefined, { manager });
      const peer = await connectTcp(port);
      peer.socket.write(request);
      await until(() => manager.wanted.length > 0);
      expect(manager.wanted.map((isWanted) => isWanted())).to.not.include(false);
      peer.socket.resetAndDestroy();
      await untilConnections(server, 0);
      expect(manager.wanted.map((isWanted) => isWanted())).to.not.include(true);
    });
  }
});

describe('listings whose clients have left', () => {
  let manager: LocalLockManager;

  beforeEach(() => {
    manager = new LocalLockManager({ limits: DEFAULT_LOCK_SERVER_LIMITS });
    const session = manager.openSession({ address: 'here', clientName: '', lost: () => {} });
    for (let index = 0; index < NAMES; index += 1) {
      session.acquire({ name: `${index}`, mode: 'exclusive', tag: '', waitMs: 0 });
    }
  });

  const list = (): Pages<LockPage> => manager.list({ prefix: '' });

  function answer(pages: Pages<LockPage>): Promise<LockPage> {
    return new Promise((resolve) => pages.nextPage(10).whenSettled(resolve));
  }

  it('end as soon as nobody wants them any more', async () => {
    let asked = 0;
    let isAnswered = false;
    const isWanted = (): boolean => {
      asked += 1;
      return asked < 3;
    };
    list()
      .nextPage(10, isWanted)
      .whenSettled(() => {
        isAnswered = true;
      });
    while (asked < 3) await nextTurn();
    for (let time = 0; time < 3; time += 1) await answer(list());
    expect([asked, isAnswered]).to.deep.equal([3, false]);
  });

  it('go over all names four at a time, and are answered in order', async () => {
    const begun = new Set<number>();
    const answered: number[] = [];
    const counts: number[] = [];
    const startListing = (index: number): void => {
      const isWanted = (): boolean => {
        begun.add(index);
        counts.push(begun.size - answered.length);
        return true;
      };
      list()
        .nextPage(10, isWanted)
        .whenSettled(() => answered.push(index));
    };
    const all = Array.from({ length: 50 }, (_, index) => index);
    for (const index of all) startListing(index);
    while (answered.length < 50) await nextTurn();
    expect(answered).to.deep.equal(all);
    expect(Math.max(...counts)).to.equal(4);
  });

  it('are not held up by those that nobody wants any more', async () => {
    let asked = 0;
    const isWanted = (): boolean => {
      asked += 1;
      return false;
    };
    for (let count = 0; count < 1_000; count += 1) list().nextPage(10, isWanted);
    expect(await answer(list())).to.have.property('next');
    expect(asked).to.equal(1_000);
  });
});
