import { expect } from 'chai';
import { type Datastore, Lock, LockNotAcquiredError } from '../../lib/datastores/index.ts';
import { needs } from '../foreign/system-program.ts';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { errorOf } from '../support/rejection.ts';
import { type RunningStore, STORE_KINDS } from './real-stores.ts';
import { RecordingDatastore } from './recording-datastore.ts';

const CONTENDERS = 8;
const TURNS_EACH = 5;

for (const { name, programs, isShared, shortestTtlSeconds, start } of STORE_KINDS) {
  describe(`a lock in the datastore ${name}`, () => {
    let store: RunningStore;
    let datastore: Datastore;
    let other: Datastore;

    before(function () {
      needs(this, ...programs);
    });
    beforeEach(async () => {
      store = await start();
      datastore = await store.open();
      other = await store.open();
    });
    afterEach(endTest);

    it('is taken when it is free, and by nobody else until it is released', async () => {
      const [lock, others] = [new Lock(datastore, 'jobs'), new Lock(other, 'jobs')];
      expect(await lock.acquire()).to.equal(true);
      expect(await others.acquire()).to.equal(false);
      expect(await lock.release()).to.equal(true);
      expect(await others.acquire()).to.equal(true);
      expect(await lock.acquire()).to.equal(false);
    });

    it('is not taken twice by its own holder', async () => {
      const lock = new Lock(datastore, 'jobs');
      expect(await lock.acquire()).to.equal(true);
      expect(await lock.acquire()).to.equal(false);
      expect(await lock.release()).to.equal(true);
      expect(await lock.acquire()).to.equal(true);
    });

    it('is released once', async () => {
      const lock = new Lock(datastore, 'jobs');
      expect(await lock.release()).to.equal(false);
      await lock.acquire();
      expect(await lock.release()).to.equal(true);
      expect(await lock.release()).to.equal(false);
    });

    it('is another lock under another id, and under another prefix', async () => {
      expect(await new Lock(datastore, 'jobs').acquire()).to.equal(true);
      expect(await new Lock(other, 'mail').acquire()).to.equal(true);
      expect(await new Lock(other, 'jobs', { ds_key_prefix: 'elsewhere' }).acquire()).to.equal(true);
      expect(await new Lock(other, 'jobs').acquire()).to.equal(false);
    });

    it('is released by any user of the same datastore', async () => {
      const [lock, colleague] = [new Lock(datastore, 'jobs'), new Lock(datastore, 'jobs')];
      await lock.acquire();
      expect(await colleague.release()).to.equal(true);
      expect(await new Lock(other, 'jobs').acquire()).to.equal(true);
    });

    if (isShared) {
      it('is not released by the user of another datastore', async () => {
        const [lock, stranger] = [new Lock(datastore, 'jobs'), new Lock(other, 'jobs')];
        await lock.acquire();
        expect(await stranger.release()).to.equal(false);
        expect(await stranger.acquire()).to.equal(false);
        expect(await lock.release()).to.equal(true);
      });
    }

    if (shortestTtlSeconds !== undefined) {
      it('is not taken from the next holder by a late one', async () => {
        const late = new Lock(await store.open({ ttlSeconds: shortestTtlSeconds }), 'jobs');
        const [next, third] = [new Lock(other, 'jobs'), new Lock(await store.open(), 'jobs')];
        expect(await late.acquire()).to.equal(true);
        await until(() => next.acquire());
        expect(await late.release()).to.equal(false);
        expect(await third.acquire()).to.equal(false);
        expect(await next.release()).to.equal(true);
        expect(await third.acquire()).to.equal(true);
      });
    }

    it('is waited for', async () => {
      const recording = new RecordingDatastore(other);
      const lock = new Lock(datastore, 'jobs');
      await lock.acquire();
      const waiting = new Lock(recording, 'jobs').acquire(10);
      expect(await recording.nextAnswer()).to.equal(false);
      await lock.release();
      expect(await waiting).to.equal(true);
      expect(await lock.acquire()).to.equal(false);
    });

    it('is not taken when the seconds are over', async () => {
      await new Lock(datastore, 'jobs').acquire();
      expect(await new Lock(other, 'jobs').acquire(0.02)).to.equal(false);
    });

    it('has one holder at a time, even if many contend', async () => {
      const holders = new Set<number>();
      let turnCount = 0;
      const contend = async (contender: number): Promise<void> => {
        const lock = new Lock(await store.open(), 'jobs');
        for (let turn = 0; turn < TURNS_EACH; turn += 1) {
          while (!(await lock.acquire()));
          holders.add(contender);
          expect([...holders]).to.deep.equal([contender]);
          // Asks the store again, so that it serves others meanwhile.
          expect(await lock.acquire()).to.equal(false);
          expect([...holders]).to.deep.equal([contender]);
          holders.delete(contender);
          turnCount += 1;
          expect(await lock.release()).to.equal(true);
        }
      };
      await Promise.all(Array.from({ length: CONTENDERS }, (_, contender) => contend(contender)));
      expect(turnCount).to.equal(CONTENDERS * TURNS_EACH);
    });

    describe('around a function', () => {
      it('is held while the function runs, and then released', async () => {
        const [lock, others] = [new Lock(datastore, 'jobs'), new Lock(other, 'jobs')];
        const value = await lock.locked(async () => {
          expect(await others.acquire()).to.equal(false);
          return 42;
        });
        expect(value).to.equal(42);
        expect(await others.acquire()).to.equal(true);
        await others.release();
        expect(await lock.locked(() => false)).to.equal(false);
      });

      it('is released when the function throws, and rejects with its error', async () => {
        const lock = new Lock(datastore, 'jobs');
        const thrown = new Error('from the function');
        const fail = (): never => {
          throw thrown;
        };
        expect(await errorOf(lock.locked(fail))).to.equal(thrown);
        expect(await errorOf(lock.locked(async () => fail()))).to.equal(thrown);
        expect(await new Lock(other, 'jobs').acquire()).to.equal(true);
      });

      it('does not call the function when another holds it', async () => {
        await new Lock(datastore, 'jobs').acquire();
        let calls = 0;
        const count = (): unknown => {
          calls += 1;
          return calls;
        };
        const error = await errorOf(new Lock(other, 'jobs').locked(count, 0.02));
        expect(error).to.be.instanceOf(LockNotAcquiredError);
        expect(error).to.include({ message: 'Could not acquire lock', code: 'notAcquired' });
        expect(calls).to.equal(0);
        expect(await new Lock(other, 'jobs').acquire()).to.equal(false);
      });
    });
  });
}
