import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type ConnectionOptions, connect as connectSecureSocket } from 'node:tls';
import { expect } from 'chai';
import type { LockServer } from '../../lib/server/lock-server.ts';
import { type TcpListener, type TcpListenerOptions, tcp } from '../../lib/transports/tcp.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { LOOPBACK, makeServer, portOf } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { refusalsOf } from '../support/refusals.ts';
import { Authority, type Certificate } from './certificates.ts';

const CLIENT_HELLO = Buffer.of(0x16, 3, 1, 2, 0, 1, 0);

/** A listener of each kind. */
const LISTENERS: Readonly<Record<string, (options: TcpListenerOptions) => TcpListener>> = {
  TCP: tcp,
  WebSocket: (options) => webSocket({ ...options, origins: [], hosts: [], maxMessageBytes: 1_000 }),
};

for (const [transport, makeListener] of Object.entries(LISTENERS)) {
  describe(`the refusals of TLS on ${transport}`, () => {
    let authority: Authority;
    let logger: RecordingLogger;
    let server: LockServer;
    let port: number;

    beforeEach(async () => {
      authority = new Authority();
      await listen({ withClients: true });
    });
    afterEach(endTest);

    async function listen({ withClients = false, handshakeTimeoutMs = 5_000 }): Promise<void> {
      logger = new RecordingLogger();
      server = makeServer({ logger });
      const files = authority.issue('server');
      const tls = withClients ? { ...files, caFile: authority.certFile } : files;
      port = portOf(await server.listen(makeListener({ ...LOOPBACK, tls, handshakeTimeoutMs })));
    }

    /** Resolves when the server has closed the connection. */
    async function connectSecurely(options: ConnectionOptions): Promise<void> {
      const socket = connectSecureSocket({ host: '127.0.0.1', port, ca: authority.cert, ...options });
      whenTestEnds(() => socket.destroy());
      socket.on('error', () => {});
      socket.resume();
      await new Promise((resolve) => socket.once('close', resolve));
    }

    async function send(bytes: string | Uint8Array, leave: 'stay' | 'reset' = 'stay'): Promise<void> {
      const socket = connect({ host: '127.0.0.1', port });
      whenTestEnds(() => socket.destroy());
      socket.on('error', () => {});
      socket.resume();
      const closed = new Promise((resolve) => socket.once('close', resolve));
      await once(socket, 'connect');
      if (bytes.length > 0) await new Promise((resolve) => socket.write(bytes, resolve));
      if (leave === 'reset') socket.resetAndDestroy();
      await closed;
    }

    /** Waits for the log line, which may come after the end of the connection. */
    async function expectRefused(reason: string, told: string): Promise<void> {
      await until(() => logger.at('warn').length !== 0);
      const message = `refused a connection from 127.0.0.1: ${told}`;
      expect(logger.at('warn')).to.deep.equal([{ level: 'warn', details: { reason, address: '127.0.0.1' }, message }]);
      expect(refusalsOf(server.counters)).to.deep.equal({ [reason]: 1 });
      expect(server.counters).to.include({ connections: 0 });
    }

    for (const [what, bytes] of [
      ['a message', '{"command":"ping","id":1}\n'],
      ['a line', 'g jobs\n'],
      ['a frame of pkLockServer', '\0\0\0\x02{}'],
      ['an HTTP request', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
      ['an HTTP request of another method', 'OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ] as const) {
      it(`report ${what} without TLS`, async () => {
        await send(bytes);
        const told = 'it does not speak TLS, as this port does';
        const remedy = 'connect with TLS, or leave "tls" out of the settings';
        await expectRefused('tlsExpected', `${told}; to allow it, ${remedy}`);
      });
    }

    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      it(`report a client without a required certificate, by ${maxVersion}`, async () => {
        await connectSecurely({ maxVersion });
        const remedy = 'give it a certificate, or leave "tls.ca" out of the settings';
        await expectRefused('clientCertificateMissing', `it showed no certificate; to allow it, ${remedy}`);
      });

      const wrong: [string, string, () => Certificate][] = [
        ['of another authority', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', () => new Authority('stranger').issue('client')],
        ['that is its own authority', 'DEPTH_ZERO_SELF_SIGNED_CERT', () => selfSigned()],
        ['that is expired', 'CERT_HAS_EXPIRED', () => authority.issueExpired('client')],
      ];
      for (const [what, code, make] of wrong) {
        it(`report a certificate ${what}, by ${maxVersion}`, async () => {
          const { cert, key } = make();
          await connectSecurely({ maxVersion, cert, key });
          await until(() => logger.at('warn').length !== 0);
          expect(logger.at('warn')[0]?.message).to.include(`its certificate was not accepted (${code}`);
          const remedy = 'give it a valid one of an authority in the file "tls.ca" of the settings';
          expect(logger.at('warn')[0]?.message).to.include(`; to allow it, ${remedy}`);
          expect(refusalsOf(server.counters)).to.deep.equal({ clientCertificate: 1 });
        });
      }
    }

    it('report an unsupported version', async () => {
      await connectSecurely({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
      await expectRefused('tlsHandshake', 'its TLS handshake failed (ERR_SSL_UNSUPPORTED_PROTOCOL)');
    });

    it('report a handshake that breaks off', async () => {
      const raw = connect({ host: '127.0.0.1', port });
      whenTestEnds(() => raw.destroy());
      const socket = connectSecureSocket({ socket: raw, ca: authority.cert });
      socket.on('error', () => {});
      // The server has answered and waits for the client.
      await once(socket, 'keylog');
      raw.resetAndDestroy();
      await expectRefused('tlsHandshake', 'its TLS handshake failed (ECONNRESET)');
    });

    it('report a client that rejects the certificate', async () => {
      // Most clients report it, but not Node's.
      const trusted = ['-verify_return_error', '-CAfile', new Authority('stranger').certFile];
      const client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...trusted], { stdio: 'ignore' });
      await once(client, 'exit');
      const remedy = 'have it trust the authority of the file "tls.cert"';
      await expectRefused(
        'tlsHandshake',
        `its TLS handshake failed (ERR_SSL_TLSV1_ALERT_UNKNOWN_CA); to allow it, ${remedy}`,
      );
    });

    it('report a handshake that does not end in time', async () => {
      await listen({ handshakeTimeoutMs: 20 });
      await send(CLIENT_HELLO);
      await expectRefused('handshakeTimeout', 'its TLS handshake did not end in time');
    });

    it('do not report a client that disconnects before it sent anything', async () => {
      for (let time = 0; time < 5; time += 1) await send('', 'reset');
      const { cert, key } = authority.issue('client');
      const socket = connectSecureSocket({ host: '127.0.0.1', port, ca: authority.cert, cert, key });
      whenTestEnds(() => socket.destroy());
      await once(socket, 'secureConnect');
      expect(refusalsOf(server.counters)).to.deep.equal({});
    });
  });
}

/** An authority's own certificate, shown as that of a client. */
function selfSigned(): Certificate {
  return new Authority('stranger').own;
}
