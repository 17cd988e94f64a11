import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as afterTimers } from 'node:timers/promises';
import { expect } from 'chai';
import type { FullLockServer } from '../../lib/foreign/full-lock-server.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { RawClient, until } from '../server/raw-client.ts';
import { listenOnTcp, makeServer, untilConnections } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { refusalsOf } from '../support/refusals.ts';
import { handshake } from '../transports/web-socket-scene.ts';
import type { StreamPeer } from './peers.ts';
import { type Listening, TRANSPORTS } from './transports.ts';

const TIMEOUT_MS = 60;
/** For clients that must be in time. */
const LONG_TIMEOUT_MS = 500;
const DRIP_MS = 2;
/** How often the server looks for late messages within their time. */
const SWEEPS = 12;
const TOLD = `a message did not end within messageTimeoutMs, ${TIMEOUT_MS}`;
const PING = '{"command":"ping","id":1}\n';
const PONG = '{"id":1,"result":{"status":"ok"}}';
const BINARY_FRAME = 0x82;
const BEGINNING_FRAME = 0x02;
const CONTINUING_FRAME = 0x00;
const MASKED = 0x80;

/** Beginnings of a message, and the answer when the rest does not come. */
const BEGINNINGS: readonly [string, string, string][] = [
  ['half a message', '{"command":"pi', `{"error":{"status":"limit","message":"${TOLD}"}}\n`],
  ['half a line', 'g fo', `0 ${TOLD}\n`],
  ['half a length prefix', '\0\0', TOLD],
  ['a length prefix without its frame', '\0\0\x01\0', TOLD],
  ['half a frame of pkLockServer', '\0\0\x01\0{"command"', TOLD],
  ['white space', ' \t', ''],
];

/** A message as a frame of WebSocket, masked with zeros. */
function frameOf(message: string, firstByte = BINARY_FRAME): Buffer {
  return Buffer.from([firstByte, MASKED | message.length, 0, 0, 0, 0, ...Buffer.from(message)]);
}

const [TCP, , , WEB_SOCKET, TLS, SECURE_WEB_SOCKET] = TRANSPORTS as [...typeof TRANSPORTS];

describe('the time that a message may take', () => {
  let logger: RecordingLogger;
  let server: FullLockServer;

  function serve(messageTimeoutMs: number): void {
    logger = new RecordingLogger();
    server = makeServer({ logger, limits: { messageTimeoutMs, closeTimeoutMs: 20 } });
  }

  beforeEach(() => serve(TIMEOUT_MS));
  afterEach(endTest);

  async function open(transport = TCP): Promise<Listening> {
    if (transport === undefined) throw new Error('no such transport');
    return await transport.listen(server);
  }

  /** All that the peer gets until the connection is closed. */
  async function answerTo(peer: StreamPeer<Duplex>, bytes: string | Uint8Array): Promise<string> {
    let answer = '';
    peer.socket.on('data', (text: string) => {
      answer += text;
    });
    peer.socket.write(bytes);
    await peer.closed;
    return answer;
  }

  function expectRefused(count = 1, timeoutMs = TIMEOUT_MS): void {
    expect(refusalsOf(server.counters)).to.deep.equal({ messageTimeoutMs: count });
    expect(logger.at('warn').map(({ message }) => message.replace(/from [\w.]+:/, 'from here:'))).to.deep.equal([
      `refused a connection from here: it began a message that did not end within messageTimeoutMs, ${timeoutMs}; to allow it, raise "limits.messageTimeoutMs" in the settings`,
    ]);
  }

  /** Connections on all of which a message begins in one turn. */
  async function beginTogether(count: number): Promise<StreamPeer<Duplex>[]> {
    const { connectRaw } = await open();
    const peers = await Promise.all(Array.from({ length: count }, () => connectRaw()));
    for (const peer of peers) peer.socket.write(PING);
    await Promise.all(peers.map((peer) => peer.receive(1)));
    for (const peer of peers) peer.socket.write(PING.slice(0, 5));
    return peers;
  }

  for (const transport of TRANSPORTS.filter(({ canHalfClose }) => canHalfClose)) {
    for (const [what, bytes, told] of BEGINNINGS) {
      it(`ends a connection on ${transport.name} that sends ${what}`, async () => {
        const { connectRaw } = await open(transport);
        expect(await answerTo(await connectRaw(), Buffer.from(bytes, 'latin1'))).to.include(told);
        expectRefused();
      });
    }
  }

  for (const transport of [WEB_SOCKET, SECURE_WEB_SOCKET]) {
    const begun: readonly [string, Buffer][] = [
      ['a byte of a header', frameOf(PING).subarray(0, 1)],
      ['half a frame', frameOf(PING).subarray(0, 10)],
      ['the first part of a message in parts', frameOf(PING, BEGINNING_FRAME)],
      ['a whole frame and half of one', Buffer.concat([frameOf(PING), frameOf(PING).subarray(0, 10)])],
      ['half a ping', frameOf('ping', 0x89).subarray(0, 8)],
    ];
    for (const [what, bytes] of begun) {
      it(`ends a connection on ${transport?.name} that sends ${what}`, async () => {
        const { connectRaw } = await open(transport);
        const peer = await connectRaw();
        await answerTo(peer, Buffer.concat([Buffer.from(handshake()), bytes]));
        expectRefused();
      });
    }
  }

  for (const transport of [TCP, TLS]) {
    for (const byte of [' ', 'a']) {
      it(`ends a connection on ${transport?.name} that goes on byte by byte, with ${JSON.stringify(byte)}`, async () => {
        const { connectRaw } = await open(transport);
        const peer = await connectRaw();
        const drip = setInterval(() => peer.socket.write(byte), DRIP_MS);
        whenTestEnds(() => clearInterval(drip));
        await peer.closed;
        expectRefused();
      });
    }
  }

  it('frees the locks of the client', async () => {
    const { connectRaw } = await open();
    const answer = await answerTo(await connectRaw(), 'g held\ng nex');
    expect(answer).to.equal(`1 Lock Get Success: held\n0 ${TOLD}\n`);
    expect(server.commandStats()).to.include({ locks: 0, orphans: 1 });
  });

  it('leaves clients alone that have sent nothing, whole messages, or blank lines behind them', async () => {
    const { connectRaw } = await open();
    const silent = await connectRaw();
    const whole = await connectRaw();
    whole.socket.write(PING);
    expect(await whole.receive(1)).to.equal(PONG);
    whole.socket.write('\n');
    const framed = await (await open(WEB_SOCKET)).connect(1);
    framed.send([Buffer.from(PING)]);
    expect(await framed.receive(1)).to.equal(PONG);
    await answerTo(await connectRaw(), ' ');
    for (const peer of [silent, whole, framed]) {
      peer.send([Buffer.from(PING)]);
      expect(await peer.receive(1)).to.equal(PONG);
    }
  });

  it('begins anew with each message', async () => {
    serve(LONG_TIMEOUT_MS);
    const { connectRaw } = await open();
    const busy = await connectRaw();
    const late = await connectRaw();
    let goesOn = true;
    void late.closed.then(() => {
      goesOn = false;
    });
    busy.socket.write(PING.slice(0, 5));
    late.socket.write(PING.slice(0, 5));
    while (goesOn) {
      busy.socket.write(PING.slice(5) + PING.slice(0, 5));
      expect(await busy.receive(1)).to.equal(PONG);
    }
    busy.socket.write(PING.slice(5));
    expect(await busy.receive(1)).to.equal(PONG);
    expectRefused(1, LONG_TIMEOUT_MS);
  });

  it('does not count while the server itself is stopped, since the end may have come meanwhile', async () => {
    serve(LONG_TIMEOUT_MS);
    const { connectRaw } = await open();
    const [peer, bystander] = [await connectRaw(), await connectRaw()];
    peer.socket.write(PING.slice(0, 5));
    bystander.socket.write(PING);
    await bystander.receive(1);
    peer.socket.write(PING.slice(5));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LONG_TIMEOUT_MS + LONG_TIMEOUT_MS / 2);
    expect(await peer.receive(1)).to.equal(PONG);
  });

  it('is not over for a message whose end lies in the socket when the server looks', async () => {
    const peers = await beginTogether(SWEEPS + 10);
    const refused = (): number => refusalsOf(server.counters).messageTimeoutMs ?? 0;
    const inTime: StreamPeer<Duplex>[] = [];
    for (const peer of peers) {
      // Among the timers, as the server's looks are: behind a timer comes the input, and then what was found late ends.
      await afterTimers();
      if (refused() > 0) break;
      peer.socket.write(PING.slice(5));
      inTime.push(peer);
      // By now the next look is due, and it comes before the server reads.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TIMEOUT_MS / SWEEPS + 1);
    }
    for (const peer of inTime) expect(await peer.receive(1)).to.equal(PONG);
    await until(() => refused() === peers.length - inTime.length);
  });

  it('is over for many connections at once, of which few are ended in a turn', async () => {
    const peers = await beginTogether(300);
    await until(() => refusalsOf(server.counters).messageTimeoutMs !== undefined);
    expect(refusalsOf(server.counters).messageTimeoutMs).to.be.lessThan(300);
    await Promise.all(peers.map(({ closed }) => closed));
    expectRefused(300);
    await untilConnections(server, 0);
  });
});

describe('the bytes of all messages that have begun', () => {
  const TOTAL_BYTES = 10_000;
  const TOLD = `messages that have begun take more than totalInputBytes, ${TOTAL_BYTES}, in all`;
  let server: FullLockServer;

  beforeEach(() => {
    server = makeServer({ limits: { totalInputBytes: TOTAL_BYTES, closeTimeoutMs: 20 } });
  });
  afterEach(endTest);

  for (const transport of [TCP, TLS]) {
    it(`are bounded on ${transport?.name}: the longest message is broken off, and the others end as usual`, async () => {
      const { connectRaw } = await open(transport);
      const [short, long] = [await connectRaw(), await connectRaw()];
      short.socket.write(PING.slice(0, 5));
      long.socket.write(longMessage());
      await long.closed;
      expect(refusalsOf(server.counters)).to.deep.equal({ totalInputBytes: 1 });
      short.socket.write(PING.slice(5));
      expect(await short.receive(1)).to.equal(PONG);
    });
  }

  it('include frames of WebSocket', async () => {
    const peer = await (await open(WEB_SOCKET)).connectRaw();
    peer.socket.write(Buffer.concat([Buffer.from(handshake()), longFrame()]));
    await peer.closed;
    expect(refusalsOf(server.counters)).to.deep.equal({ totalInputBytes: 1 });
  });

  it('include what each fragment of a message of WebSocket takes', async () => {
    const peer = await (await open(WEB_SOCKET)).connectRaw();
    const fragments = [
      frameOf('', BEGINNING_FRAME),
      ...Array.from({ length: 100 }, () => frameOf('', CONTINUING_FRAME)),
    ];
    peer.socket.write(Buffer.concat([Buffer.from(handshake()), ...fragments]));
    await peer.closed;
    expect(refusalsOf(server.counters)).to.deep.equal({ totalInputBytes: 1 });
  });

  async function open(transport = TCP): Promise<Listening> {
    if (transport === undefined) throw new Error('no such transport');
    return await transport.listen(server);
  }

  it('are free again when the message is whole or its client is gone', async () => {
    const { connectRaw } = await open();
    const [peer, other] = [await connectRaw(), await connectRaw()];
    const half = Buffer.from(`{"command":"ping",${' '.repeat(TOTAL_BYTES / 2)}`);
    for (let round = 0; round < 5; round += 1) {
      peer.socket.write(half);
      peer.socket.write('"id":1}\n');
      expect(await peer.receive(1)).to.equal(PONG);
    }
    other.socket.write(half);
    other.socket.destroy();
    await untilConnections(server, 1);
    peer.socket.write(half);
    peer.socket.write('"id":1}\n');
    expect(await peer.receive(1)).to.equal(PONG);
    expect(refusalsOf(server.counters)).to.deep.equal({});
  });

  it('are free again after a message was broken off, even if its client stays', async () => {
    server = makeServer({ limits: { totalInputBytes: TOTAL_BYTES } });
    const port = await listenOnTcp(server);
    // They neither read nor close their side, so the server waits for them for ten seconds.
    const sockets = [1, 2, 3].map(() => connect({ port, host: '127.0.0.1', allowHalfOpen: true }).pause());
    whenTestEnds(() => {
      for (const socket of sockets) socket.destroy();
    });
    for (const [index, socket] of sockets.entries()) {
      socket.write(longMessage());
      await until(() => refusalsOf(server.counters).totalInputBytes === index + 1);
    }
    const peer = await RawClient.connect(port);
    peer.write(`{"command":"ping",${' '.repeat(TOTAL_BYTES / 2)}`);
    await (await RawClient.connect(port)).settle();
    peer.write('"id":1}\n');
    expect(await peer.next()).to.have.property('id', 1);
    expect(refusalsOf(server.counters)).to.deep.equal({ totalInputBytes: 3 });
  });

  it('do not include a client that has closed its side and waits for answers', async () => {
    const { connectRaw } = await open();
    const [waiting, long] = [await connectRaw(), await connectRaw()];
    waiting.socket.write('{"command":"lock","parameters":{"lockName":"a"},"id":1}\n');
    expect(await waiting.receive(1)).to.include('"ok"');
    waiting.socket.end(`{"command":"lock","parameters":{"lockName":"a","owner":"x","timeLimit":0.2},"id":2}\n   `);
    long.socket.write(longMessage());
    await long.closed;
    expect(await waiting.receive(1)).to.include('"id":2');
    expect(refusalsOf(server.counters)).to.deep.equal({ totalInputBytes: 1 });
  });

  it('are told to the client', async () => {
    const { connectRaw } = await open();
    const peer = await connectRaw();
    peer.socket.write(longMessage());
    expect(await peer.receive(1)).to.equal(`{"error":{"status":"limit","message":"${TOLD}"}}`);
  });

  function longMessage(): Buffer {
    return Buffer.from(`{"command":"${'x'.repeat(2 * TOTAL_BYTES)}`);
  }

  /** A frame without its last byte. */
  function longFrame(): Buffer {
    const frame = Buffer.alloc(8 + 2 * TOTAL_BYTES);
    frame.set([BINARY_FRAME, MASKED | 126, (2 * TOTAL_BYTES + 1) >> 8, (2 * TOTAL_BYTES + 1) & 0xff, 0, 0, 0, 0]);
    return frame.fill('x', 8);
  }
});
