import { expect } from 'chai';
import { AT_ONCE, client, clientScene, emitted, lazyClient, other, proxy } from './client-scene.ts';

const IN_ORDER = ['first', 'second', 'third', 'fourth'];

describe('calls of one lock client', () => {
  clientScene({ client: { reconnect: AT_ONCE } });

  let order: string[];
  let calls: Promise<unknown>[];

  beforeEach(() => {
    order = [];
    calls = [];
  });

  it('are sent in the order in which they were made, before and while the client connects', async () => {
    const lazy = lazyClient();
    const ask = (name: string): unknown => calls.push(lazy.locked('jobs', () => order.push(name)));
    ask('first');
    lazy.once('connect', () => ask('third'));
    const connected = lazy.connect();
    ask('second');
    await connected;
    ask('fourth');
    await Promise.all(calls);
    expect(order).to.deep.equal(IN_ORDER);
  });

  it('see the locks requested before them, even without a connection', async () => {
    const lazy = lazyClient();
    const lock = lazy.lock('jobs');
    expect(await lazy.inspect('jobs')).to.include({ holderCount: 1 });
    await lock;
  });

  it('keep their order when they are repeated on the next connection', async () => {
    const handle = await other.lock('jobs');
    const ask = (name: string): unknown => calls.push(client.locked('jobs', () => order.push(name)));
    ask('first');
    ask('second');
    await client.rpc('ping');
    const connected = emitted(client, 'connect');
    client.once('disconnect', () => ask('third'));
    client.once('connect', () => ask('fourth'));
    proxy.cut();
    await connected;
    await client.rpc('ping');
    await handle.release();
    await Promise.all(calls);
    expect(order).to.deep.equal(IN_ORDER);
  });
});
