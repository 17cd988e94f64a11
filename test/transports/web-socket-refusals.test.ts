import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectSecureSocket } from 'node:tls';
import { expect } from 'chai';
import type { LockServer } from '../../lib/server/lock-server.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { connectFrames, connectTcp } from '../protocols/peers.ts';
import { endTest } from '../server/clean-up.ts';
import { untilConnections } from '../server/running-server.ts';
import type { RecordingLogger } from '../support/recording-logger.ts';
import { refusalsOf } from '../support/refusals.ts';
import { handshake, listenForWebSocket, PAGE } from './web-socket-scene.ts';

describe('the refusals of WebSocket', () => {
  let server: LockServer;
  let port: number;
  let logger: RecordingLogger;
  beforeEach(() => listen());
  afterEach(endTest);

  async function listen(...options: Parameters<typeof listenForWebSocket>): Promise<void> {
    ({ server, port, logger } = await listenForWebSocket(...options));
  }

  /** Everything that comes back until the connection is closed. */
  async function answerTo(bytes: string | Buffer): Promise<string> {
    const peer = await connectTcp(port);
    peer.socket.write(bytes);
    return await peer.rest();
  }

  /** Expects one log line, and the same text in the answer to the client; returns it without its beginning. */
  function expectTold(answer: string, status: number, reason: string): string {
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).to.match(new RegExp(`^HTTP/1\\.1 ${status} \\w`));
    expect(head.toLowerCase()).to.include('\r\ncontent-type: text/plain; charset=utf-8');
    expect(refusalsOf(server.counters)).to.deep.equal({ [reason]: 1 });
    const [line, ...more] = logger.at('warn');
    expect(more).to.deep.equal([]);
    expect(line?.details).to.deep.equal({ reason, address: '127.0.0.1' });
    expect(line?.message).to.equal(`refused a connection from 127.0.0.1: ${body.trimEnd()}`);
    expect(server.commandStats()).to.include({ connections: 0 });
    return body.trimEnd();
  }

  it('name the unlisted origin and the setting', async () => {
    const answer = await answerTo(handshake({ Origin: 'https://evil.example' }));
    expect(expectTold(answer, 403, 'origin')).to.equal(
      'pages of "https://evil.example" are not allowed; to allow it, add "https://evil.example" to "origins" in the settings',
    );
  });

  it('name the unlisted host and the setting', async () => {
    const answer = await answerTo(handshake({ Host: 'evil.example:9998', Origin: 'http://evil.example:9998' }));
    expect(expectTold(answer, 403, 'host')).to.equal(
      'a page calls the server "evil.example", which is not allowed; to allow it, add "evil.example" to "hosts" in the settings',
    );
  });

  it('name the limit, before there is a WebSocket', async () => {
    await listen({}, { limits: { maxConnections: 1 } });
    const first = await connectFrames(`ws://127.0.0.1:${port}`);
    first.send([Buffer.from('{"command":"ping","id":1}')]);
    await first.receive(1);
    const answer = await answerTo(handshake({}));
    expect(answer)
      .to.match(/^HTTP\/1\.1 503 /)
      .and.include('maxConnections, 1; to allow it, raise "limits.maxConnections"');
    expect(refusalsOf(server.counters)).to.deep.equal({ maxConnections: 1 });
    expect(server.commandStats()).to.include({ connections: 1, openConnections: 1 });
  });

  const wrongPages: [string, Record<string, string | readonly string[]>][] = [
    ['the origin null', { Origin: 'null' }],
    ['an empty origin', { Origin: '' }],
    ['two origins', { Origin: [PAGE, PAGE] }],
    ['an origin that is none', { Origin: 'http://a b' }],
    ['an origin that is not ASCII', { Origin: 'http://\u00e9vil' }],
    ['an origin under its old name', { 'Sec-WebSocket-Version': '8', 'Sec-WebSocket-Origin': 'http://evil.example' }],
  ];
  for (const [what, headers] of wrongPages) {
    it(`tell of ${what}`, async () => {
      expectTold(await answerTo(handshake(headers)), 403, 'origin');
    });
  }

  const wrongHandshakes: [string, number, string][] = [
    ['no host', 400, handshake({ Host: undefined })],
    ['an empty host', 400, handshake({ Host: '' })],
    ['two hosts', 400, handshake({ Host: ['localhost', 'localhost'] })],
    ['a host that is none', 400, handshake({ Host: 'a b' })],
    ['no version', 400, handshake({ 'Sec-WebSocket-Version': undefined })],
    ['a version that is not served', 400, handshake({ 'Sec-WebSocket-Version': '12' })],
    ['no key', 400, handshake({ 'Sec-WebSocket-Key': undefined })],
    ['a key that is none', 400, handshake({ 'Sec-WebSocket-Key': 'x' })],
    ['another upgrade', 400, handshake({ Upgrade: 'h2c' })],
    ['another method', 400, handshake({}, 'POST / HTTP/1.1')],
    ['a request without an upgrade', 426, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a request without an upgrade and without a host', 426, 'GET / HTTP/1.1\r\n\r\n'],
    ['a request with a body', 426, 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\ng jobs'],
    ['two requests at once', 426, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2)],
    ['a tunnel', 426, 'CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['headers without end', 431, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}`],
    ['a header that is none', 400, 'GET / HTTP/1.1\r\nHost localhost\r\n\r\n'],
    ['a message', 400, '{"command":"ping","id":1}\n'],
    ['a line', 400, 'g jobs\n'],
    ['a frame of pkLockServer', 400, '\0\0\0\x02{}'],
  ];
  for (const [what, status, bytes] of wrongHandshakes) {
    it(`tell of ${what}`, async () => {
      const told = expectTold(await answerTo(bytes), status, 'webSocketHandshake');
      expect(told).to.match(/^(it sent no valid handshake of WebSocket \([^)]+\)|the Host of its handshake is .*)$/);
    });
  }

  it('name the supported versions', async () => {
    expect(await answerTo(handshake({ 'Sec-WebSocket-Version': '12' }))).to.include(
      '\r\nSec-WebSocket-Version: 13\r\n',
    );
  });

  it('report a client that speaks TLS to a port without it', async () => {
    const socket = connectSecureSocket({ host: '127.0.0.1', port });
    await once(socket, 'error');
    expect(refusalsOf(server.counters)).to.deep.equal({ tlsUnexpected: 1 });
    expect(logger.warnings).to.deep.equal([
      'refused a connection from 127.0.0.1: it speaks TLS, which this port does not; to allow it, set "tls" in the settings or connect without it',
    ]);
  });

  it('report a handshake that does not end in time', async () => {
    await listen({ handshakeTimeoutMs: 20 });
    expect(await answerTo('GET / HTTP/1.1\r\nHost: localhost\r\n')).to.equal('');
    expect(refusalsOf(server.counters)).to.deep.equal({ handshakeTimeout: 1 });
    expect(logger.warnings).to.deep.equal([
      'refused a connection from 127.0.0.1: its WebSocket handshake did not end within 20 ms',
    ]);
  });

  it('do not report clients that disconnect before they sent anything', async () => {
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      const socket = connect({ host: '127.0.0.1', port });
      await once(socket, 'connect');
      socket.resume();
      socket[leave]();
      await new Promise((resolve) => socket.once('close', resolve));
    }
    await connectFrames(`ws://127.0.0.1:${port}`);
    expect(refusalsOf(server.counters)).to.deep.equal({});
  });

  it('shorten and quote the text of the client', async () => {
    const answer = await answerTo(handshake({ Origin: `http://${'a'.repeat(5_000)}.example` }));
    expect(expectTold(answer, 403, 'origin')).to.have.lengthOf.below(300);
    const quoted = await answerTo(handshake({ Origin: '<script>"' }));
    expect(quoted).to.include('the Origin of its handshake is "<script>\\""');
  });

  it('do not report an unlisted name, but log it once for programs without an origin', async () => {
    const names = ['locks.example', 'localhost', 'other.example:9998', 'Other.example', 'third.example'];
    for (const host of names) await connectFrames(`ws://127.0.0.1:${port}`, { headers: { Host: host } });
    await connectFrames(`ws://127.0.0.1:${port}`, { headers: { Host: 'fourth.example' }, origin: PAGE });
    const note = (name: string): string =>
      `a program at 127.0.0.1 calls this server "${name}"; a page that does so needs "hosts" or "origins" in the settings`;
    expect(logger.at('info').map(({ message }) => message)).to.deep.equal([
      note('other.example'),
      note('third.example'),
    ]);
    expect(refusalsOf(server.counters)).to.deep.equal({});
  });

  it('log at most a hundred names', async () => {
    for (let index = 0; index < 120; index += 1) {
      const peer = await connectFrames(`ws://127.0.0.1:${port}`, { headers: { Host: `name-${index}.example` } });
      peer.close();
    }
    expect(logger.at('info')).to.have.lengthOf(100);
  });

  const mask = Buffer.alloc(4);
  const frames = (count: number, ...head: number[]): Buffer =>
    Buffer.concat(Array.from({ length: count }, () => Buffer.concat([Buffer.from(head), mask])));
  for (const [reason, sent, why] of [
    ['webSocketFrame', frames(1, 0xc1, 0x80), 'it sent a frame that is not valid: RSV1 must be clear'],
    ['webSocketFrame', frames(1, 0x83, 0x80), 'it sent a frame that is not valid: invalid opcode 3'],
    [
      'webSocketFragments',
      Buffer.concat([frames(1, 0x01, 0x80), frames(16_400, 0x00, 0x80)]),
      'it sent a message in more than 16384 fragments',
    ],
    ['webSocketPongs', frames(300, 0x89, 0x80), 'it sent pings and left more than 60 of the answers unread'],
  ] as const) {
    it(`close the connection for ${reason} once it is open: ${why}`, async () => {
      const peer = await connectTcp(port);
      peer.socket.write(handshake());
      expect(await peer.receive()).to.match(/ 101 /);
      peer.socket.write(sent);
      await peer.closed;
      await untilConnections(server, 0);
      expect(refusalsOf(server.counters)).to.deep.equal({ [reason]: 1 });
      expect(logger.warnings).to.deep.equal([`refused a connection from 127.0.0.1: ${why}`]);
    });
  }

  it('do not include pings that are answered', async () => {
    const { webSocket: client } = await connectFrames(`ws://127.0.0.1:${port}`);
    for (let time = 0; time < 100; time += 1) {
      client.ping('x');
      expect(String((await once(client, 'pong'))[0])).to.equal('x');
    }
    expect(refusalsOf(server.counters)).to.deep.equal({});
  });

  it('include wrong entries of the lists, before it listens', () => {
    const here = { host: '127.0.0.1', port: 0, allowed: [], maxMessageBytes: 1_000 };
    expect(() => webSocket({ ...here, origins: ['null'], hosts: [] })).to.throw(TypeError, '"null" is no origin');
    expect(() => webSocket({ ...here, origins: [], hosts: ['a:1'] })).to.throw(TypeError, '"a:1" is no host name');
  });
});
