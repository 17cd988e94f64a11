import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { DelayingProxy } from './delaying-proxy.ts';

describe('calls of one lock client', () => {
  let server: RunningServer;

  beforeEach(async () => {
    server = await startServer();
  });
  afterEach(endTest);

  it('are sent in the order in which they were made, before and while the client connects', async () => {
    const client = new LockClient({ port: server.port });
    whenTestEnds(() => client.close());
    const order: string[] = [];
    const calls: Promise<unknown>[] = [];
    const ask = (name: string): void => {
      calls.push(client.locked('jobs', () => order.push(name)));
    };
    ask('first');
    client.once('connect', () => ask('third'));
    const connected = client.connect();
    ask('second');
    await connected;
    ask('fourth');
    await Promise.all(calls);
    expect(order).to.deep.equal(['first', 'second', 'third', 'fourth']);
  });

  it('see the locks requested before them, even without a connection', async () => {
    const client = new LockClient({ port: server.port });
    whenTestEnds(() => client.close());
    const lock = client.lock('jobs');
    expect(await client.inspect('jobs')).to.include({ holderCount: 1 });
    await lock;
  });

  it('keep their order when they are repeated on the next connection', async () => {
    const proxy = await DelayingProxy.start(server.port);
    const holder = await server.client();
    const client = await server.client({ port: proxy.port, reconnect: { minDelayMs: 1 } });
    const handle = await holder.lock('jobs');
    const order: string[] = [];
    const calls: Promise<unknown>[] = [];
    const ask = (name: string): void => {
      calls.push(client.locked('jobs', () => order.push(name)));
    };
    ask('first');
    ask('second');
    await client.rpc('ping');
    const connected = new Promise<void>((resolve) => client.once('connect', resolve));
    client.once('disconnect', () => ask('third'));
    client.once('connect', () => ask('fourth'));
    proxy.cut();
    await connected;
    await client.rpc('ping');
    await handle.release();
    await Promise.all(calls);
    expect(order).to.deep.equal(['first', 'second', 'third', 'fourth']);
  });
});
