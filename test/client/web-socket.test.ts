import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { LockClient as BrowserClient } from '../../lib/client/browser-client.ts';
import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import { LockInvalidError, LockLostError } from '../../lib/client/lock-error.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { makeServer, portOf } from '../server/running-server.ts';
import { rejection, rejects } from '../support/rejection.ts';
import { Authority, type Certificate } from '../transports/certificates.ts';
import { DelayingProxy } from './delaying-proxy.ts';

describe('a client by WebSocket', () => {
  afterEach(endTest);

  /** Starts a server and returns its port. */
  async function listen(tls?: Certificate & { readonly caFile?: string }): Promise<number> {
    const here = { host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] };
    return portOf(
      await makeServer().listen(webSocket({ ...here, origins: [], hosts: [], maxMessageBytes: 1_000_000, tls })),
    );
  }

  async function connect(options: LockClientOptions): Promise<LockClient> {
    const client = await LockClient.connect(options);
    whenTestEnds(() => client.close());
    return client;
  }

  it('takes locks and waits for them as by TCP', async () => {
    const url = `ws://127.0.0.1:${await listen()}`;
    const [client, other] = [await connect({ url, name: 'ä' }), await connect({ url: new URL(url) })];
    const handle = await client.lock('jobs ☃');
    expect(await other.tryLock('jobs ☃')).to.equal(null);
    const waiting = other.lock('jobs ☃');
    expect(await other.inspect('jobs ☃')).to.include({ holderCount: 1, waiterCount: 1 });
    expect((await other.inspect('jobs ☃')).holders[0]?.name).to.equal('ä');
    expect(await handle.release()).to.equal(true);
    expect((await waiting).token).to.equal(2);
    await client.close();
    expect((await other.stats()).sessions).to.equal(1);
  });

  it('loses its locks with the connection if its session is not kept, and opens another', async () => {
    const proxy = await DelayingProxy.start(await listen());
    const client = await connect({ url: `ws://127.0.0.1:${proxy.port}`, session: false, reconnect: { minDelayMs: 1 } });
    const handle = await client.lock('jobs');
    const lost = once(handle.signal, 'abort');
    proxy.cut();
    await lost;
    expect(handle.signal.reason).to.be.instanceOf(LockLostError).and.include({ code: 'connectionLost' });
    expect((await client.lock('jobs')).token).to.equal(2);
  });

  it('uses TLS with the certificates that it is given', async () => {
    const authority = new Authority();
    const certificate = { ...authority.issue('server'), caFile: authority.certFile };
    const url = `wss://localhost:${await listen(certificate)}`;
    const { cert, key } = authority.issue('client');
    const client = await connect({ url, tls: { ca: authority.cert, cert, key } });
    expect(await client.lock('jobs')).to.include({ token: 1 });
    const failed = await rejection(LockClient.connect({ url, tls: { cert, key } }));
    expect(failed)
      .to.have.property('code')
      .that.matches(/CERT|SELF_SIGNED|ISSUER/);
  });

  it('lets the process end when it is told to', async () => {
    const script = `
      import { LockClient } from './dist/lib/index.js';
      const client = await LockClient.connect({ url: process.argv[1] });
      await client.lock('jobs');
      client.unref();
      client.ref();
      client.unref();
      console.log('holding');
    `;
    const url = `ws://127.0.0.1:${await listen()}`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, url], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    whenTestEnds(() => child.kill());
    expect(await once(child, 'exit')).to.deep.equal([0, null]);
  });

  it('takes only one place to connect to', async () => {
    const url = 'ws://127.0.0.1:1';
    const places = { host: 'localhost', port: 20_934, path: '/run/holdfast.sock' };
    for (const [place, value] of Object.entries(places)) {
      const message = `${place} is ${JSON.stringify(value)}; expected none, since url is given`;
      await rejects(LockClient.connect({ url, [place]: value }), LockInvalidError, message);
    }
    const dial = (): Promise<never> => Promise.reject(new Error('no'));
    expect(() => new LockClient({ url, dial })).to.throw(LockInvalidError, 'dial is');
  });

  it('takes no other URL', async () => {
    const url = 'http://127.0.0.1:20934';
    const message = `url is "${url}"; expected one that begins with ws:// or wss:// and has no fragment`;
    await rejects(LockClient.connect({ url }), LockInvalidError, message);
    expect(() => new LockClient({ url: 'ws://127.0.0.1', tls: {} })).to.throw(LockInvalidError, 'since tls is given');
  });

  it('for browsers works with any class like the WebSocket of browsers', async () => {
    const url = `ws://127.0.0.1:${await listen()}`;
    const client = await BrowserClient.connect({ url, WebSocket });
    whenTestEnds(() => client.close());
    expect(await client.locked('jobs', ({ token }) => token)).to.equal(1);
    await rejects(BrowserClient.connect({ url: 'ftp://127.0.0.1', WebSocket }), LockInvalidError);
  });
});
