import { expect } from 'chai';
import { type Datastore, Lock, MemoryDatastore } from '../../lib/datastores/index.ts';
import { untilNextTry } from '../../lib/datastores/lock.ts';
import { errorOf } from '../support/rejection.ts';
import { RecordingDatastore } from './recording-datastore.ts';

describe("dlock's Lock", () => {
  it('asks its datastore for the prefix, a colon and the id', async () => {
    const datastore = new RecordingDatastore(new MemoryDatastore());
    await new Lock(datastore).acquire();
    await new Lock(datastore, 'jobs').acquire();
    await new Lock(datastore, 'jobs', { ds_key_prefix: 'night' }).acquire();
    expect(datastore.asked).to.deep.equal(['dlock:unnamed', 'dlock:jobs', 'night:jobs']);
  });

  it('has its datastore, its id and its options', () => {
    const datastore = new MemoryDatastore();
    const lock = new Lock(datastore, 'jobs', { colour: 'red' });
    expect(lock.getDatastore()).to.equal(datastore);
    expect(lock.getId()).to.equal('jobs');
    expect(lock.getOpt('ds_key_prefix')).to.equal('dlock');
    expect(lock.getOpt('colour')).to.equal('red');
    expect(lock.getOpt('size')).to.equal(null);
    expect(lock.getOpt('toString')).to.equal(null);
  });

  it('uses the options that were set last', async () => {
    const datastore = new RecordingDatastore(new MemoryDatastore());
    const lock = new Lock(datastore, 'jobs', { ds_key_prefix: 'night' });
    lock.setOpt('ds_key_prefix', 'day');
    lock.setOpt('colour', 'red');
    await lock.acquire();
    expect(lock.getOpt('colour')).to.equal('red');
    expect(datastore.asked).to.deep.equal(['day:jobs']);
  });

  it('tries once when no seconds are given', async () => {
    const datastore = new RecordingDatastore(new MemoryDatastore());
    await new Lock(datastore).acquire();
    expect(await new Lock(datastore).acquire()).to.equal(false);
    expect(datastore.asked).to.have.lengthOf(2);
  });

  it('tries at once and when the seconds are over', async () => {
    const datastore = new RecordingDatastore(new MemoryDatastore());
    await new Lock(datastore).acquire();
    let askedBefore = 0;
    setTimeout(() => {
      askedBefore = datastore.asked.length;
    }, 900);
    expect(await new Lock(datastore).acquire(1)).to.equal(false);
    expect(askedBefore).to.equal(1 + 1);
    expect(datastore.asked).to.have.lengthOf(1 + 2);
  });

  it('rejects seconds that are no length of time', async () => {
    const datastore = new RecordingDatastore(new MemoryDatastore());
    const lock = new Lock(datastore);
    for (const seconds of [-1, Number.NaN, Number.POSITIVE_INFINITY, '1' as unknown as number]) {
      const { message } = await errorOf(lock.acquire(seconds));
      expect(message).to.equal(`seconds is ${seconds}; expected a number from 0`);
      expect((await errorOf(lock.locked(() => 0, seconds))).message).to.equal(message);
    }
    expect(datastore.asked).to.deep.equal([]);
  });

  it('refuses a wrong datastore, id or prefix', () => {
    const datastore = new MemoryDatastore();
    expect(() => new Lock(undefined as unknown as Datastore)).to.throw(TypeError, /^datastore is undefined; expected /);
    expect(() => new Lock(datastore, 7 as unknown as string)).to.throw(TypeError, 'id is 7; expected a string');
    const prefix = 'ds_key_prefix is 7; expected a string';
    expect(() => new Lock(datastore, 'jobs', { ds_key_prefix: 7 as unknown as string })).to.throw(TypeError, prefix);
    expect(() => new Lock(datastore).setOpt('ds_key_prefix', 7)).to.throw(TypeError, prefix);
  });

  describe('whose datastore fails', () => {
    const failure = new Error('the store is gone');

    /** Takes locks, but cannot release them. */
    class FailingDatastore extends MemoryDatastore {
      override releaseLock(): Promise<boolean> {
        return Promise.reject(failure);
      }
    }

    it('rejects with the error of the datastore', async () => {
      class GoneDatastore extends FailingDatastore {
        override acquireLock(): Promise<boolean> {
          return Promise.reject(failure);
        }
      }
      const lock = new Lock(new GoneDatastore());
      expect(await errorOf(lock.acquire(10))).to.equal(failure);
      expect(await errorOf(lock.release())).to.equal(failure);
      expect(await errorOf(lock.locked(() => 0))).to.equal(failure);
    });

    it('rejects with that error when the function has run', async () => {
      expect(await errorOf(new Lock(new FailingDatastore()).locked(() => 0))).to.equal(failure);
    });

    it('rejects with the error of the function instead of that error', async () => {
      const thrown = new Error('from the function');
      const fail = (): never => {
        throw thrown;
      };
      expect(await errorOf(new Lock(new FailingDatastore()).locked(fail))).to.equal(thrown);
    });
  });
});

/** The moments of all tries, in milliseconds from the first, with timers that end so much too late, or too early. */
function tries(seconds: number, lateMs: number): number[] {
  const moments = [0];
  while (moments.length < 100) {
    const nowMs = moments.at(-1) as number;
    const waitMs = untilNextTry(seconds, moments.length, nowMs);
    if (waitMs === undefined) return moments;
    moments.push(nowMs + waitMs + lateMs);
  }
  return moments;
}

describe('the tries for a lock in a datastore', () => {
  it('come once a second, and when the seconds are over', () => {
    expect(tries(0, 0)).to.deep.equal([0]);
    expect(tries(0.5, 0)).to.deep.equal([0, 500]);
    expect(tries(1, 0)).to.deep.equal([0, 1_000]);
    expect(tries(2.5, 0)).to.deep.equal([0, 1_000, 2_000, 2_500]);
  });

  it('are no more when timers end early', () => {
    for (const seconds of [0.5, 1, 1.2, 2, 10]) {
      expect(tries(seconds, -0.5), `${seconds} s`).to.have.lengthOf(1 + Math.ceil(seconds));
    }
  });

  it('end with the first after the seconds when timers end late', () => {
    expect(tries(2, 300)).to.deep.equal([0, 1_300, 2_300]);
    expect(tries(3, 1_500)).to.deep.equal([0, 2_500, 4_500]);
  });
});
