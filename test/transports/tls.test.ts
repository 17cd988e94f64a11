import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { connect as connectSecureSocket, type TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { MessageClient } from '../../lib/message/message-client.ts';
import type { LockServer } from '../../lib/server/lock-server.ts';
import { dialTcp, type TcpListener, type TcpListenerOptions, tcp } from '../../lib/transports/tcp.ts';
import type { DialTlsOptions, TlsFiles } from '../../lib/transports/tls.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { connectTcp, StreamPeer } from '../protocols/peers.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { LOOPBACK, makeServer, portOf } from '../server/running-server.ts';
import { refusalsOf } from '../support/refusals.ts';
import { Authority, type Certificate } from './certificates.ts';

/** A listener of each kind. */
const LISTENERS: Readonly<Record<string, (tls: TlsFiles, more?: Partial<TcpListenerOptions>) => TcpListener>> = {
  TCP: (tls, more) => tcp({ ...LOOPBACK, tls, ...more }),
  WebSocket: (tls, more) =>
    webSocket({ ...LOOPBACK, tls, origins: [], hosts: [], maxMessageBytes: 1_000_000, ...more }),
};

for (const [transport, makeListener] of Object.entries(LISTENERS)) {
  describe(`TLS on ${transport}`, () => {
    let authority: Authority;
    let certificate: Certificate;
    let server: LockServer;

    beforeEach(() => {
      authority = new Authority();
      certificate = authority.issue('server');
      server = makeServer();
    });
    afterEach(endTest);

    async function listen(listener: TcpListener): Promise<number> {
      return portOf(await server.listen(listener));
    }

    /** The serial number of the certificate that a new connection is shown. */
    async function serialNumber(port: number): Promise<string> {
      const socket = connectSecureSocket({ host: '127.0.0.1', port, ca: authority.cert });
      whenTestEnds(() => socket.destroy());
      await once(socket, 'secureConnect');
      return socket.getPeerCertificate().serialNumber;
    }

    it('asks the allow-list before the handshake', async () => {
      const port = await listen(makeListener(certificate, { allowed: ['10.0.0.0/8'] }));
      const peer = await connectTcp(port);
      await peer.closed;
      expect(peer.unreadCount).to.equal(0);
      expect(server.commandStats()).to.include({ connections: 0 });
      expect(refusalsOf(server.counters)).to.deep.equal({ allowList: 1 });
    });

    it('survives connections that are reset in the middle of the handshake', async () => {
      const port = await listen(makeListener(certificate));
      for (let time = 0; time < 20; time += 1) {
        const socket = connect({ host: '127.0.0.1', port });
        await once(socket, 'connect');
        await new Promise((resolve) => socket.write(Buffer.of(0x16, 3, 1, 2, 0, 1, 0), resolve));
        socket.resetAndDestroy();
      }
      expect(await serialNumber(port)).to.not.equal('');
    });

    it('waits for a handshake for a time that can be waited', () => {
      for (const handshakeTimeoutMs of [0, -1, 0.5, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY]) {
        const message = `handshakeTimeoutMs is ${handshakeTimeoutMs}; expected a whole number from 1 to 2147483647`;
        expect(() => makeListener(certificate, { handshakeTimeoutMs })).to.throw(RangeError, message);
      }
    });

    it('serves the new certificate after reload, to new connections only', async () => {
      const listener = makeListener(certificate);
      const port = await listen(listener);
      const first = await serialNumber(port);
      authority.issue('server');
      expect(await serialNumber(port)).to.equal(first);
      listener.reload();
      const second = await serialNumber(port);
      expect(second).to.not.equal(first);
    });

    it('keeps the old certificate when the new one cannot be used', async () => {
      const listener = makeListener(certificate);
      const port = await listen(listener);
      const first = await serialNumber(port);
      writeFileSync(certificate.certFile, 'nonsense');
      expect(() => listener.reload()).to.throw();
      expect(await serialNumber(port)).to.equal(first);
      copyFileSync(authority.issue('other').certFile, certificate.certFile);
      expect(() => listener.reload(), 'the key of another certificate').to.throw();
      expect(await serialNumber(port)).to.equal(first);
    });

    it('cannot begin or end TLS, or ask for certificates of clients, once it is open', async () => {
      const listener = makeListener(certificate);
      const port = await listen(listener);
      expect(() => listener.prepare({ tls: undefined })).to.throw('TLS cannot begin or end on an open listener');
      const tls = { ...certificate, caFile: certificate.certFile };
      expect(() => listener.prepare({ tls })).to.throw('cannot begin or cease to ask clients for certificates');
      expect(await serialNumber(port)).to.not.equal('');
    });

    it('cannot be set up with files that are not there or are no certificates', () => {
      expect(() => makeListener({ ...certificate, certFile: '/nowhere/cert.pem' })).to.throw('ENOENT');
      expect(() => makeListener({ ...certificate, keyFile: '/nowhere/key.pem' })).to.throw('ENOENT');
      expect(() => makeListener({ ...certificate, caFile: '/nowhere/ca.pem' })).to.throw('ENOENT');
      expect(() => makeListener({ ...certificate, keyFile: certificate.certFile })).to.throw();
    });

    it('cannot be set up with files that have a broken certificate behind a good one, and names them', () => {
      const file = join(dirname(certificate.certFile), 'several.pem');
      const wrong = '-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n';
      const good = readFileSync(certificate.certFile, 'utf8');
      for (const second of [wrong, wrong.slice(0, 40)]) {
        writeFileSync(file, good + second);
        const listener = { ...certificate, certFile: file };
        expect(() => makeListener(listener)).to.throw(`tls.cert is ${file}; expected a certificate in PEM`);
        const complaint = `tls.ca is ${file}; expected certificates in PEM`;
        expect(() => makeListener({ ...certificate, caFile: file })).to.throw(complaint);
      }
      writeFileSync(file, `first the one\n${good}then the other\n${good}${readFileSync(certificate.keyFile, 'utf8')}`);
      expect(() => makeListener({ certFile: file, keyFile: file, caFile: file })).not.to.throw();
    });

    it('requires a certificate of the authority from clients when one is given', async () => {
      const port = await listen(makeListener({ ...certificate, caFile: authority.certFile }));
      const stranger = new Authority('stranger');
      for (const shown of [{}, pick(stranger.issue('client'))]) {
        const socket = connectSecureSocket({ host: '127.0.0.1', port, ca: authority.cert, ...shown });
        await refused(socket);
      }
      expect(server.commandStats()).to.include({ connections: 0, grants: 0 });
      const socket = connectSecureSocket({
        host: '127.0.0.1',
        port,
        ca: authority.cert,
        ...pick(authority.issue('c')),
      });
      whenTestEnds(() => socket.destroy());
      await once(socket, 'secureConnect');
      socket.write(transport === 'TCP' ? 'i jobs\n' : 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      const [answer] = await once(socket, 'data');
      expect(String(answer)).to.match(transport === 'TCP' ? /^0 Lock Not Locked: jobs\n$/ : /^HTTP\/1\.1 426 /);
    });
  });
}

function pick({ cert, key }: Certificate): { cert: string; key: string } {
  return { cert, key };
}

/** Expects that the connection sends something and is closed without an answer. */
async function refused(socket: TLSSocket): Promise<void> {
  const peer = new StreamPeer(socket, 'a client');
  socket.write('g jobs\n');
  expect(await peer.rest()).to.equal('');
}

describe('a client over TLS', () => {
  let authority: Authority;
  afterEach(endTest);

  async function connectClient(port: number, tls: DialTlsOptions, host = '127.0.0.1'): Promise<MessageClient> {
    const client = new MessageClient();
    whenTestEnds(() => client.close());
    await client.connect(dialTcp({ host, port, tls }));
    return client;
  }

  async function listen(withClients = false): Promise<number> {
    authority = new Authority();
    const files = authority.issue('server');
    const tls = withClients ? { ...files, caFile: authority.certFile } : files;
    return portOf(await makeServer().listen(tcp({ ...LOOPBACK, tls })));
  }

  it('is served, by address and by name', async () => {
    const port = await listen();
    for (const host of ['127.0.0.1', 'localhost']) {
      const client = await connectClient(port, { ca: authority.cert }, host);
      expect(await client.rpc('lock', { lockName: host })).to.include({ status: 'ok' });
    }
    const named = await connectClient(port, { ca: authority.cert, serverName: 'localhost' });
    expect(await named.rpc('ping')).to.deep.equal({ status: 'ok' });
  });

  it('does not connect to a server with a certificate that it does not trust, or for another name', async () => {
    const port = await listen();
    const codeOf = (tls: DialTlsOptions): Promise<string | undefined> =>
      connectClient(port, tls).then(
        () => undefined,
        (error: NodeJS.ErrnoException) => error.code,
      );
    expect(await codeOf({})).to.equal('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    expect(await codeOf({ ca: new Authority('stranger').cert })).to.be.a('string');
    const wrongName = { ca: authority.cert, serverName: 'elsewhere.example' };
    expect(await codeOf(wrongName)).to.equal('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  it('shows its certificate where the server asks for one', async () => {
    const port = await listen(true);
    const { cert, key } = authority.issue('client');
    const client = await connectClient(port, { ca: authority.cert, cert, key });
    expect(await client.rpc('ping')).to.deep.equal({ status: 'ok' });
  });

  it('notices the lost connection when the server demands a certificate and gets none', async () => {
    const port = await listen(true);
    const client = new MessageClient();
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    await client.connect(dialTcp({ host: '127.0.0.1', port, tls: { ca: authority.cert } }));
    await closed;
    expect(client.state).to.equal('closed');
  });
});
