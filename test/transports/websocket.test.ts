import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import type { WebSocket } from 'ws';
import type { ByteStream } from '../../lib/message/byte-stream.ts';
import type { LockServer } from '../../lib/server/lock-server.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { connectFrames, connectTcp, type FramePeer } from '../protocols/peers.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { LOOPBACK, portOf, untilConnections } from '../server/running-server.ts';
import { refusalsOf } from '../support/refusals.ts';
import { handshake, listenForWebSocket, PAGE } from './web-socket-scene.ts';

describe('WebSocket', () => {
  let server: LockServer;
  let port: number;
  beforeEach(() => listen());
  afterEach(endTest);

  async function listen(...options: Parameters<typeof listenForWebSocket>): Promise<void> {
    ({ server, port } = await listenForWebSocket(...options));
  }

  function connectHere(options: WebSocket.ClientOptions = {}): Promise<FramePeer> {
    return connectFrames(`ws://127.0.0.1:${port}`, options);
  }

  /** Connects and asks about a lock. */
  async function isServed(options: WebSocket.ClientOptions): Promise<void> {
    const peer = await connectHere(options);
    expect(await peer.ask('i jobs')).to.equal('0 Lock Not Locked: jobs');
  }

  it('serves programs, which send no origin, and pages of listed origins', async () => {
    await isServed({});
    await isServed({ origin: PAGE });
  });

  it("serves Go's client, although its origin has a path", async () => {
    const peer = await connectTcp(port);
    // As golang.org/x/net/websocket writes it.
    const lines = [
      ...['GET / HTTP/1.1', 'Host: lockhost.example:9998', 'Upgrade: websocket', 'Connection: Upgrade'],
      ...['Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==', 'Origin: http://localhost/', 'Sec-WebSocket-Version: 13'],
    ];
    // One text frame, `i a`, whose mask is zero.
    const frame = Buffer.from([0x81, 0x83, 0, 0, 0, 0, 0x69, 0x20, 0x61]);
    peer.socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), frame]));
    let answer = '';
    while (!answer.includes('0 Lock Not Locked: a')) answer += String((await once(peer.socket, 'data'))[0]);
    expect(answer).to.match(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
  });

  it('is served under any path', async () => {
    for (const path of ['/', '/anything', '/a/b?c=d', '*']) {
      const peer = await connectTcp(port);
      peer.socket.write(handshake({}, `GET ${path} HTTP/1.1`));
      expect(await peer.receive(), path).to.equal('HTTP/1.1 101 Switching Protocols\r');
    }
  });

  it('closes the connection of a refused handshake, even if the client does not', async () => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    // Not `once`, which throws the error that comes first.
    const gone = new Promise((resolve) => socket.once('close', resolve));
    whenTestEnds(() => socket.destroy());
    socket.resume();
    socket.write(handshake({ Origin: 'https://evil.example' }));
    await once(socket, 'end');
    // A server that has closed both sides answers input by a reset.
    socket.on('error', () => {});
    const goOn = (): void => {
      if (!socket.destroyed) socket.write('more', () => setImmediate(goOn));
    };
    goOn();
    await gone;
  });

  it('survives handshakes that are refused and reset at once', async () => {
    for (let time = 0; time < 50; time += 1) {
      const socket = connect({ host: '127.0.0.1', port });
      await once(socket, 'connect');
      const origin = time % 2 === 0 ? 'https://evil.example' : PAGE;
      await new Promise((resolve) => socket.write(handshake({ Origin: origin }), resolve));
      socket.resetAndDestroy();
    }
    await isServed({});
  });

  it('survives a broken frame after the handshake of a connection that is destroyed at once', async () => {
    const destroyed = new Promise<void>((resolve) => {
      const listener = webSocket({ ...LOOPBACK, origins: [], hosts: [], maxMessageBytes: 9 });
      whenTestEnds(() => listener.close());
      const accepted = (stream: ByteStream): void => {
        stream.destroy();
        setImmediate(resolve);
      };
      void listener.open({ accepted, refused: () => {}, failed: () => {} }).then((address) => {
        const socket = connect({ host: '127.0.0.1', port: portOf(address) });
        whenTestEnds(() => socket.destroy());
        socket.on('error', () => {});
        const frame = Buffer.of(0xff, 0x80, 0, 0, 0, 0);
        socket.write(Buffer.concat([Buffer.from(handshake()), frame]));
      });
    });
    await destroyed;
    await isServed({});
  });

  it('asks the allow-list before it reads the handshake', async () => {
    await listen({ allowed: ['10.0.0.0/8'] });
    const peer = await connectTcp(port);
    await peer.closed;
    expect(peer.unreadCount).to.equal(0);
    expect(server.commandStats()).to.include({ connections: 0 });
    expect(refusalsOf(server.counters)).to.deep.equal({ allowList: 1 });
  });

  it('closes connections without a handshake when the server closes', async () => {
    const peer = await connectTcp(port);
    await isServed({});
    await server.close();
    await peer.closed;
  });

  it('accepts messages in frames, with line breaks within them', async () => {
    const peer = await connectHere();
    const message = { command: 'lock', parameters: { lockName: 'two\nlines' }, id: 1 };
    expect(await peer.ask(JSON.stringify(message, undefined, 2))).to.equal(
      '{"id":1,"result":{"status":"ok","token":1,"count":1}}',
    );
    expect(await peer.ask('\r\n{\r\n"command":"ping",\n\n"id":2}\r\n\r\n')).to.equal(
      '{"id":2,"result":{"status":"ok"}}',
    );
    expect(await peer.ask('{"command":"ping",')).to.match(/^\{"error":\{"status":"invalid","message":"not JSON: /);
    expect(await peer.ask('{"command":"ping","id":3}\n{"command":"ping","id":4}')).to.match(
      /^\{"error":\{"status":"invalid","message":"not JSON: /,
    );
    expect(await peer.ask(Buffer.from('{"command":"ping","id":5}'))).to.equal('{"id":5,"result":{"status":"ok"}}');
  });

  it('reads a frame with line breaks as one line command', async () => {
    const peer = await connectHere();
    for (const command of ['g one\nr one', 'i one r one', 'i one\r\n\r\n r one\n', 'r one\tr\r\none']) {
      peer.webSocket.send(command);
    }
    expect(await peer.receive()).to.equal('1 Lock Get Success: one r one');
    expect(await peer.receive()).to.equal('1 Lock Is Locked: one r one');
    expect(await peer.receive()).to.equal('1 Lock Is Locked: one r one');
    expect(await peer.receive()).to.equal('1 Lock Release Success: one r one');
    expect(peer.unreadCount).to.equal(0);
  });

  it('answers in text frames, and in a binary one if the text is no UTF-8', async () => {
    const peer = await connectHere();
    const kinds: boolean[] = [];
    peer.webSocket.on('message', (_data, isBinary) => kinds.push(isBinary));
    expect(await peer.ask('i \u00e9')).to.equal('0 Lock Not Locked: \u00c3\u00a9');
    expect(await peer.ask(Buffer.of(0x69, 0x20, 0xe9))).to.equal('0 Lock Not Locked: \u00e9');
    expect(kinds).to.deep.equal([false, true]);
  });

  it('joins the fragments of a command', async () => {
    const peer = await connectHere();
    peer.webSocket.send('i jo', { fin: false });
    peer.webSocket.send('', { fin: false });
    peer.webSocket.send('bs', { fin: true });
    expect(await peer.receive()).to.equal('0 Lock Not Locked: jobs');
  });

  it("does not serve pkLockServer's framing", async () => {
    const peer = await connectHere();
    const message = '{"command":"unlock"}';
    peer.webSocket.send(Buffer.concat([Buffer.of(0, 0, 0, message.length), Buffer.from(message)]));
    await peer.closed;
    expect(peer.unreadCount).to.equal(0);
  });

  it('closes a connection with a frame that is too large, and frees its locks', async () => {
    const peer = await connectHere();
    expect(await peer.ask(`g ${'n'.repeat(998)}`)).to.equal(`1 Lock Get Success: ${'n'.repeat(998)}`);
    peer.webSocket.send(`i ${'n'.repeat(999)}`);
    const [code] = await once(peer.webSocket, 'close');
    expect(code).to.equal(1009);
    await untilConnections(server, 0);
    expect(refusalsOf(server.counters)).to.deep.equal({ maxMessageBytes: 1 });
    expect(server.commandStats()).to.include({ holders: 0, orphans: 1 });
    await isServed({});
  });

  it('closes a connection with a text frame that is no UTF-8', async () => {
    const peer = await connectHere();
    peer.webSocket.send(Buffer.of(0x67, 0x20, 0xff), { binary: false });
    const [code] = await once(peer.webSocket, 'close');
    expect(code).to.equal(1007);
    await untilConnections(server, 0);
    expect(server.commandStats()).to.include({ grants: 0 });
  });

  it('frees the locks of a connection that closes, or is cut off', async () => {
    for (const leave of ['close', 'terminate'] as const) {
      const peer = await connectHere();
      peer.webSocket.send('g jobs');
      expect(await peer.receive()).to.equal('1 Lock Get Success: jobs');
      peer.webSocket[leave]();
      await untilConnections(server, 0);
      expect(server.commandStats()).to.include({ holders: 0 });
    }
  });

  it('executes everything before the close frame', async () => {
    const peer = await connectHere();
    for (let time = 0; time < 100; time += 1) peer.webSocket.send(`g ${time}`);
    peer.webSocket.close();
    for (let time = 0; time < 100; time += 1) {
      expect(await peer.receive()).to.equal(`1 Lock Get Success: ${time}`);
    }
    // Its locks are freed in slices.
    await until(() => (server.commandStats() as { orphans: number }).orphans === 100);
    expect(server.commandStats()).to.include({ grants: 100, holders: 0, openConnections: 0 });
  });

  it('says goodbye to clients when the server closes', async () => {
    const peer = await connectHere();
    const closed = once(peer.webSocket, 'close');
    await server.close();
    expect((await closed)[0]).to.equal(1000);
  });
});
