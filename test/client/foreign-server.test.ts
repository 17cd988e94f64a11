import { expect } from 'chai';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { RawServer } from '../support/raw-server.ts';
import { lazyClient } from './client-scene.ts';

describe('a client of a server that sends no tokens', () => {
  afterEach(endTest);

  it('sends an unlock that is valid JSON, and ends the release with the answer', async () => {
    const server = await RawServer.listen();
    whenTestEnds(() => server.close());
    const locked = lazyClient({ port: server.port }).lock('jobs');
    const peer = await server.accept();
    const hello = await peer.next();
    peer.send({ id: hello.id, result: { status: 'ok', protocol: 1 } });
    const lock = await peer.next();
    peer.send({ id: lock.id, result: { status: 'ok' } });
    const handle = await locked;
    const released = handle.release();
    const unlock = await peer.next();
    expect(unlock).to.deep.equal({
      command: 'unlock',
      parameters: { lockName: 'jobs', owner: handle.owner, token: null },
      id: unlock.id,
    });
    peer.send({ id: unlock.id, result: { status: 'ok' } });
    expect(await released).to.equal(true);
  });
});
