import { createServer } from 'node:http';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { expect } from 'chai';
import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import { LockInvalidError, LockLimitError, LockUnreachableError } from '../../lib/client/lock-error.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { startServer } from '../server/running-server.ts';
import { freePort } from '../support/free-port.ts';
import { RawServer } from '../support/raw-server.ts';
import { rejection, rejects } from '../support/rejection.ts';
import { Authority } from '../transports/certificates.ts';
import { AT_ONCE, emitted, lazyClient } from './client-scene.ts';
import { listen, portOf } from './plain-listener.ts';

const WAIT = { waitMs: 20_000 };

/** A call that would wait 20 seconds if the client kept retrying. */
function callBy(options: LockClientOptions): Promise<unknown> {
  return lazyClient({ reconnect: AT_ONCE, ...options }).lock('a', WAIT);
}

function answering(status: number): Promise<number> {
  return portOf(createServer((_request, response) => response.writeHead(status).end()));
}

describe('a connection that cannot succeed by retrying', function () {
  this.timeout(5_000);
  afterEach(endTest);

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`fails at once when the server demands a certificate, by ${maxVersion}`, async () => {
      const authority = new Authority();
      const { key, cert } = authority.issue('server');
      const demanding: TlsOptions = { key, cert, ca: authority.cert, requestCert: true, maxVersion };
      const server = createTlsServer(demanding, (socket) => socket.on('error', () => {}).resume());
      const call = callBy({ port: await portOf(server), tls: { ca: authority.cert } });
      const error = await rejects(call, LockUnreachableError);
      expect(error.cause).to.have.property('code').that.matches(/ALERT/);
    });
  }

  it('fails at once when the other side does not speak TLS', async () => {
    const port = await listen((socket) => socket.end('220 mail.example ready\r\n'));
    await rejects(callBy({ port, tls: {} }), LockUnreachableError, /wrong version number/);
  });

  it('fails at once when a certificate is not trusted, by WebSocket too', async () => {
    const { key, cert } = new Authority().issue('server');
    const port = await portOf(createTlsServer({ key, cert }));
    for (const place of [{ port, tls: {} }, { url: `wss://127.0.0.1:${port}` }]) {
      const error = await rejects(callBy(place), LockUnreachableError);
      expect(error.cause).to.have.property('code', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    }
  });

  it('fails at once when the server refuses WebSockets or has none', async () => {
    for (const status of [403, 200]) {
      const call = callBy({ url: `ws://127.0.0.1:${await answering(status)}` });
      const message = `no server could be asked: Unexpected server response: ${status}`;
      await rejects(call, LockUnreachableError, message);
    }
  });

  it('is retried when the server refuses a WebSocket only for now', async () => {
    const client = lazyClient({ url: `ws://127.0.0.1:${await answering(503)}`, reconnect: AT_ONCE });
    const given = rejection(client.lock('a', WAIT));
    for (let attempt = 0; attempt < 2; attempt += 1) await emitted(client, 'error');
    await client.close();
    expect(await given).to.include({ code: 'closed' });
  });

  it('fails at once with the code protocol when the server answers the greeting with an error', async () => {
    const server = await RawServer.listen();
    whenTestEnds(() => server.close());
    const given = rejection(callBy({ port: server.port }));
    const peer = await server.accept();
    const { id } = await peer.next();
    peer.send({ id, error: { status: 'invalid', message: 'unknown command' } });
    expect(await given).to.include({ code: 'protocol' });
  });

  it('fails at once when the port is invalid, in connect() as in any call', async () => {
    for (const port of [-1, 1.5, 65_536]) {
      const message = `port is ${port}; expected a whole number from 0 to 65535`;
      await rejects(LockClient.connect({ port }), LockInvalidError, message);
      await rejects(callBy({ port }), LockInvalidError, message);
    }
  });

  it('fails at once when the path of a Unix socket is too long', async () => {
    await rejects(callBy({ path: `/tmp/${'x'.repeat(200)}` }), LockInvalidError, /has 205 bytes.*expected at most/);
  });

  it('fails at once when the server refuses the name, and a later call tries again', async () => {
    const { port } = await startServer({ maxClientNameBytes: 8 });
    const client = lazyClient({ port, name: 'n'.repeat(9) });
    await rejects(client.lock('a', WAIT), LockLimitError, { limit: 'maxClientNameBytes', value: 8 });
    await client.identify('short');
    expect((await client.lock('a', WAIT)).isHeld).to.equal(true);
  });
});

describe('a connection that may succeed by retrying', () => {
  afterEach(endTest);

  it('is awaited as long as the call may wait; the last failure is the cause', async () => {
    const port = await freePort();
    const calls: ((client: LockClient) => Promise<unknown>)[] = [
      (client) => client.lock('a', { waitMs: 50 }),
      (client) => client.lockAll(['a'], { waitMs: 50 }),
      (client) => client.rpc('ping', {}, { timeoutMs: 50 }),
      (client) => client.tryLock('a'),
      (client) => client.inspect('a'),
      (client) => client.locks.request('a', { ifAvailable: true }, () => {}),
    ];
    for (const call of calls) {
      const asked = call(lazyClient({ port, requestTimeoutMs: 50, reconnect: AT_ONCE }));
      const error = await rejects(asked, LockUnreachableError, /no connection within \d+ ms: connect ECONNREFUSED/);
      expect(error).to.have.nested.property('cause.code', 'ECONNREFUSED');
    }
  });
});
