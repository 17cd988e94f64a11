import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createPlainServer } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { expect } from 'chai';
import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import { type LockError, LockInvalidError, LockUnreachableError } from '../../lib/client/lock-error.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { freePort } from '../support/free-port.ts';
import { RawServer } from '../support/raw-server.ts';
import { Authority } from '../transports/certificates.ts';
import { rejection } from './rejection.ts';

const WAIT = { waitMs: 20_000 };
const AT_ONCE = { minDelayMs: 0, maxDelayMs: 5 } as const;

/** The error of a call that would wait 20 seconds if the client kept retrying. */
async function failure(options: LockClientOptions): Promise<LockError> {
  const client = new LockClient({ reconnect: AT_ONCE, ...options });
  whenTestEnds(() => client.close());
  return (await rejection(client.lock('a', WAIT))) as LockError;
}

async function portOf(server: Server | ReturnType<typeof createPlainServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  whenTestEnds(() => server.close());
  return (server.address() as AddressInfo).port;
}

function answering(status: number): Promise<number> {
  return portOf(
    createServer((_request: IncomingMessage, response: ServerResponse) => response.writeHead(status).end()),
  );
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
      const error = await failure({ port: await portOf(server), tls: { ca: authority.cert } });
      expect(error).to.be.instanceOf(LockUnreachableError);
      expect(error.cause).to.have.property('code').that.matches(/ALERT/);
    });
  }

  it('fails at once when the other side does not speak TLS', async () => {
    const server = createPlainServer((socket) => socket.on('error', () => {}).end('220 mail.example ready\r\n'));
    const error = await failure({ port: await portOf(server), tls: {} });
    expect(error).to.be.instanceOf(LockUnreachableError);
    expect(error.message).to.match(/wrong version number/);
  });

  it('fails at once when a certificate is not trusted, by WebSocket too', async () => {
    const { key, cert } = new Authority().issue('server');
    const port = await portOf(createTlsServer({ key, cert }));
    for (const place of [{ port, tls: {} }, { url: `wss://127.0.0.1:${port}` }]) {
      const error = await failure(place);
      expect(error).to.be.instanceOf(LockUnreachableError);
      expect(error.cause).to.have.property('code', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    }
  });

  it('fails at once when the server refuses WebSockets or has none', async () => {
    for (const status of [403, 200]) {
      const error = await failure({ url: `ws://127.0.0.1:${await answering(status)}` });
      expect(error).to.be.instanceOf(LockUnreachableError);
      expect(error.message).to.equal(`no server could be asked: Unexpected server response: ${status}`);
    }
  });

  it('is retried when the server refuses a WebSocket only for now', async () => {
    const url = `ws://127.0.0.1:${await answering(503)}`;
    const client = new LockClient({ url, reconnect: AT_ONCE });
    whenTestEnds(() => client.close());
    const attempts: Error[] = [];
    const twice = new Promise<void>((resolve) => {
      client.on('error', (error) => attempts.push(error) === 2 && resolve());
    });
    const given = rejection(client.lock('a', WAIT));
    await twice;
    await client.close();
    expect(await given).to.include({ code: 'closed' });
  });

  it('fails at once with the code protocol when the server answers the greeting with an error', async () => {
    const server = await RawServer.listen();
    whenTestEnds(() => server.close());
    const given = failure({ port: server.port });
    const peer = await server.accept();
    const { id } = await peer.next();
    peer.send({ id, error: { status: 'invalid', message: 'unknown command' } });
    expect(await given).to.include({ code: 'protocol' });
  });

  it('fails in connect() as in any call when the port is invalid', async () => {
    for (const port of [-1, 1.5, 65_536]) {
      const error = await rejection(LockClient.connect({ port }));
      expect(error).to.be.instanceOf(LockInvalidError);
      expect((error as Error).message).to.equal(`port is ${port}; expected a whole number from 0 to 65535`);
    }
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
      const client = new LockClient({ port, requestTimeoutMs: 50, reconnect: AT_ONCE });
      whenTestEnds(() => client.close());
      const error = await rejection(call(client));
      expect(error).to.be.instanceOf(LockUnreachableError);
      expect(error).to.have.nested.property('cause.code', 'ECONNREFUSED');
      expect((error as Error).message).to.match(/no connection within 50 ms: connect ECONNREFUSED/);
    }
  });
});
