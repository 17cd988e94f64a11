import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import type { RawClient } from '../server/raw-client.ts';
import { RawServer } from '../support/raw-server.ts';
import { emitted, lazyClient } from './client-scene.ts';

describe('a client of a server of another make', () => {
  let client: LockClient;
  let peer: RawClient;

  beforeEach(async () => {
    const server = await RawServer.listen();
    whenTestEnds(() => server.close());
    client = lazyClient({ port: server.port });
    const connected = client.connect();
    peer = await server.accept();
    await answer('hello', { protocol: 1 });
    await connected;
  });
  afterEach(endTest);

  /** Answers the next request. Returns it without its id. */
  async function answer(command: string, result: object = {}): Promise<object> {
    const { id, ...request } = await peer.next();
    expect(request).to.include({ command });
    peer.send({ id, result: { status: 'ok', ...result } });
    return request;
  }

  async function take(result: object): Promise<LockHandle> {
    const locked = client.lock('jobs');
    await answer('lock', result);
    return await locked;
  }

  it('sends an unlock that is valid JSON when the server sent no token, and ends the release with the answer', async () => {
    const handle = await take({});
    const released = handle.release();
    expect(await answer('unlock')).to.deep.equal({
      command: 'unlock',
      parameters: { lockName: 'jobs', owner: handle.owner, token: null },
    });
    expect(await released).to.equal(true);
  });

  it('reports a line that is not JSON, and keeps the connection and its locks', async () => {
    const handle = await take({ token: 1, count: 1 });
    const reported = emitted(client, 'error');
    peer.write('not JSON\n');
    expect(await reported)
      .to.have.property('message')
      .that.matches(/^not JSON: /);
    const ping = client.rpc('ping');
    await answer('ping');
    expect(await ping).to.include({ status: 'ok' });
    expect(handle.isHeld).to.equal(true);
  });
});
