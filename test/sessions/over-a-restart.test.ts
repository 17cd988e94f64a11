import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import { HoldfastDatastore, Lock } from '../../lib/datastores/index.ts';
import { emitted } from '../client/client-scene.ts';
import { HeldRequest, hold } from '../client/web-locks-scene.ts';
import { until } from '../server/raw-client.ts';
import { stateForEachTest } from './state-scene.ts';

const NAMES = ['web', 'leader', 'a', 'b', 'leased', 'shared', 'dlock:jobs'];

/** The tokens of the holders of all locks, by the names; after a crash, holders come back in any order. */
async function tokensOf(client: LockClient): Promise<readonly (readonly number[])[]> {
  const locks = await Promise.all(NAMES.map((name) => client.inspect(name)));
  return locks.map(({ holders }) => holders.map(({ token }) => token).toSorted());
}

describe('over a restart of a server with a state directory', () => {
  const { startProgram, connect } = stateForEachTest();

  for (const [how, signal] of [
    ['was killed', 'SIGKILL'],
    ['was stopped', 'SIGTERM'],
  ] as const) {
    it(`everything built on a session goes on, held or waiting, when the server ${how}`, async function () {
      this.timeout(20_000);
      const { program } = await startProgram();
      const [holder, waiter] = [connect(), connect()];

      const web = await hold(holder.locks, 'web');
      const term = await holder.terms('leader').next();
      const set = await holder.lockAll(['a', { name: 'b', mode: 'permit', limit: 1 }]);
      const leased = await holder.lock('leased', { leaseMs: 60_000 });
      const shared = [
        await holder.lock('shared', { mode: 'shared' }),
        await waiter.lock('shared', { mode: 'shared', leaseMs: 60_000 }),
      ];
      const [lock, sameLock] = [holder, waiter].map((each) => new Lock(new HoldfastDatastore(each), 'jobs')) as [
        Lock,
        Lock,
      ];
      expect(await lock.acquire()).to.equal(true);
      const tokens = await tokensOf(holder);

      const webWaits = new HeldRequest(waiter.locks, 'web');
      const termWaits = waiter.terms('leader').next();
      const leasedWaits = waiter.lock('leased', { waitMs: 60_000 });
      const setWaits = waiter.lockAll(['a', { name: 'b', mode: 'permit', limit: 1 }]);
      await waiter.rpc('ping');

      const suspended = [emitted(holder, 'suspend'), emitted(waiter, 'suspend')];
      const resumed = [emitted(holder, 'resume'), emitted(waiter, 'resume')];
      process.kill(program.pid, signal);
      await Promise.all(suspended);
      await startProgram();
      await Promise.all(resumed);

      expect(await tokensOf(holder)).to.deep.equal(tokens);
      for (const handle of [set, leased, term.value, ...shared]) {
        expect(await handle?.confirm()).to.equal(true);
        expect(handle?.signal.aborted).to.equal(false);
      }
      expect(await sameLock.acquire()).to.equal(false);
      await until(async () => (await holder.locks.query()).pending.length === 4);
      const { held, pending } = await holder.locks.query();
      expect(held.map(({ name }) => name)).to.include('web');
      expect(pending.map(({ name }) => name)).to.have.members(['web', 'leader', 'leased', 'a']);
      expect(webWaits.isCalled).to.equal(false);

      web.release('done');
      expect(await web.settled).to.equal('done');
      expect([await set.release(), await leased.release(), await lock.release()]).to.deep.equal([true, true, true]);
      expect(await term.value?.release()).to.equal(true);
      await webWaits.granted;
      expect((await leasedWaits).token).to.be.above(Math.max(...tokens.flat()));
      expect((await setWaits).isHeld).to.equal(true);
      expect((await termWaits).value?.isHeld).to.equal(true);
      expect(await sameLock.acquire()).to.equal(true);
    });
  }
});
