import { expect } from 'chai';
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

  it('are never those of a caller who chose a tag that a fresh owner would have', async () => {
    const tags = Array.from({ length: 9 }, (_, index) => `#${index + 1}`);
    for (const owner of tags) await client.lock(`the lock of ${owner}`, { owner });
    expect(tags).to.not.include((await client.lock('jobs')).owner);
  });
});
