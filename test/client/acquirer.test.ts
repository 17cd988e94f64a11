import { queryObjects } from 'node:v8';
import { expect } from 'chai';
import { LockTimeoutError } from '../../lib/client/lock-error.ts';
import { rejects } from '../support/rejection.ts';
import { client, clientScene, delayGrant, other, proxy } from './client-scene.ts';

const BATCH = { owner: 'batch' } as const;

describe('the turns of an owner at a lock', () => {
  clientScene();

  it('go on after a try-lock that did not get it', async () => {
    const held = await other.lock('jobs');
    expect(await client.tryLock('jobs', BATCH)).to.equal(null);
    await held.release();
    expect(await client.lock('jobs', BATCH)).to.include({ isHeld: true });
  });

  it('go on after the lock was stolen right behind its grant', async () => {
    const { asked } = await delayGrant(() => client.lock('jobs', { ...BATCH, stealable: true }));
    const thief = await other.lock('jobs', { steal: true });
    proxy.free('toClient');
    expect((await asked).signal.reason).to.include({ code: 'stolen' });
    await thief.release();
    expect(await client.lock('jobs', BATCH)).to.include({ isHeld: true });
  });

  it('never mix with those of a caller that chose the tag of a fresh owner', async () => {
    const tags = Array.from({ length: 9 }, (_, index) => `#${index + 1}`);
    for (const owner of tags) await client.lock(`the lock of ${owner}`, { owner });
    expect(tags).to.not.include((await client.lock('jobs')).owner);
  });
});

describe('the owners of a client', () => {
  clientScene();

  it('are gone once all that they asked for is released or refused', async () => {
    await other.lock('taken');
    const askForAll = async (options: { readonly owner?: string }): Promise<void> => {
      await (await client.lock('jobs', options)).release();
      await (await client.lock('jobs', { ...options, mode: 'permit' })).release();
      await client.tryLock('taken', options);
      await rejects(client.lock('taken', { ...options, waitMs: 1 }), LockTimeoutError);
      await (await client.lockAll(['a', 'b'])).release();
      await rejects(client.lockAll(['a', 'taken'], { waitMs: 0 }), LockTimeoutError);
    };
    await askForAll(BATCH);
    // Each owner has a map of its locks; other parts may make a few.
    const before = Number(queryObjects(Map));
    for (let index = 0; index < 20; index += 1) {
      await askForAll({});
      await askForAll({ owner: `batch ${index}` });
    }
    expect(Number(queryObjects(Map)) - before).to.be.below(10);
  });
});
