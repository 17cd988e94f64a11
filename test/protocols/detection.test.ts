import { expect } from 'chai';
import type { Protocol } from '../../lib/foreign/full-lock-server.ts';
import type { LockServer, LockServerOptions } from '../../lib/server/lock-server.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { endTest } from '../server/clean-up.ts';
import { portOf } from '../server/running-server.ts';
import { refusalsOf } from '../support/refusals.ts';
import { connectTcp, type StreamPeer } from './peers.ts';
import { frame, PrefixedClient } from './prefixed-client.ts';
import { fits, replay, type Transcript } from './replay.ts';
import { makeServer, TRANSPORTS, untilConnections } from './transports.ts';

/** How each protocol begins, and the first line that is answered, in Latin-1. */
const BEGINNINGS: Readonly<Record<Protocol, { readonly bytes: string; readonly answer: string }>> = {
  ndjson: { bytes: '{"command":"ping","id":1}\n', answer: '{"id":1,"result":{"status":"ok"}}' },
  prefixed: {
    bytes: `${frame('{"command":"unlock"}')}`,
    answer: `${frame('{"attempted":"unlock","result":"invalid"}')}`,
  },
  line: { bytes: 'i jobs\n', answer: '0 Lock Not Locked: jobs' },
};
const PROTOCOLS = ['ndjson', 'prefixed', 'line'] as const;

const WHITE_SPACE: readonly Transcript[] = [
  {
    shows: 'white space and blank lines before JSON are passed over',
    lines: `
      J>\x20\t\r
      J>\x20
      J>  {"command":"ping","id":1}
      J< {"id":1,"result":{"status":"ok"}}`,
  },
  {
    shows: 'white space and blank lines before a line command are part of the lines, blank ones counted',
    lines: `
      A>\x20\t\v\f\r
      A>\x20
      A>  \t i jobs
      A< 0 Lock Not Locked: jobs
      A> me
      A< 1 {A} {A}
      A> iam cron
      A< 1 ok
      A> r jobs
      A< 0 Lock Release Failure: jobs`,
  },
  {
    shows: 'what began as JSON stays JSON, and what began as lines stays lines',
    lines: `
      J> {"command":"ping","id":1}
      J< {"id":1,"result":{"status":"ok"}}
      J> g jobs
      J< {"error":{"status":"invalid","message":"not JSON: Unexpected token 'g', \\"g jobs\\" is not valid JSON"}}
      A> i jobs
      A< 0 Lock Not Locked: jobs
      A> {"command":"ping","id":1}
      A> i jobs
      A< 0 Lock Not Locked: jobs`,
  },
];

for (const transport of TRANSPORTS) {
  describe(`the first bytes on ${transport.name}`, () => {
    afterEach(endTest);

    for (const transcript of WHITE_SPACE) {
      if (fits(transcript, transport)) it(transcript.shows, () => replay(transcript, transport));
    }
  });
}

describe('one port for three protocols', () => {
  let server: LockServer;
  let port: number;
  afterEach(endTest);

  async function listen(protocols?: readonly Protocol[], options: LockServerOptions = {}): Promise<void> {
    server = makeServer(options);
    const listener = tcp({ host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] });
    port = portOf(await server.listen(listener, protocols === undefined ? {} : { protocols }));
  }

  /** What the server sends until it closes the connection. */
  async function readAll(peer: StreamPeer): Promise<string> {
    let all = '';
    peer.socket.on('data', (text: string) => {
      all += text;
    });
    await peer.closed;
    return all;
  }

  it('serves each by its first byte, to connections side by side', async () => {
    await listen();
    for (const protocol of PROTOCOLS) {
      const peer = await connectTcp(port);
      peer.socket.end(BEGINNINGS[protocol].bytes);
      expect((await readAll(peer)).trimEnd()).to.equal(BEGINNINGS[protocol].answer);
    }
  });

  it('serves each when the bytes come one by one', async () => {
    await listen();
    for (const protocol of PROTOCOLS) {
      const peer = await connectTcp(port);
      const answer = readAll(peer);
      for (const byte of BEGINNINGS[protocol].bytes) {
        await new Promise((resolve) => peer.socket.write(byte, 'latin1', resolve));
      }
      peer.socket.end();
      expect((await answer).trimEnd()).to.equal(BEGINNINGS[protocol].answer);
    }
  });

  it('closes at once what begins with any other byte', async () => {
    await listen();
    const ours = (byte: number): boolean =>
      byte === 0 || (byte >= 9 && byte <= 13) || byte === 0x20 || byte === 0x7b || (byte >= 0x61 && byte <= 0x7a);
    for (let byte = 0; byte < 256; byte += 1) {
      if (ours(byte)) continue;
      const peer = await connectTcp(port);
      peer.socket.write(Buffer.concat([Buffer.of(byte), Buffer.from(' jobs\ng jobs\n{"command":"ping","id":1}\n')]));
      expect(await readAll(peer), `byte ${byte}`).to.equal('');
    }
    await untilConnections(server, 0);
    expect(server.commandStats()).to.include({ grants: 0 });
    expect(refusalsOf(server.counters)).to.deep.equal({ unknownProtocol: 256 - 1 - 5 - 1 - 1 - 26 });
  });

  it('closes a connection with nothing but white space without end', async () => {
    await listen();
    const peer = await connectTcp(port);
    peer.socket.write(' '.repeat(65_537));
    expect(await readAll(peer)).to.equal('');
    expect(server.commandStats()).to.include({ grants: 0 });
    expect(refusalsOf(server.counters)).to.deep.equal({ unknownProtocol: 1 });
  });

  it('closes a connection that closes its side before it said anything', async () => {
    await listen();
    const peer = await connectTcp(port);
    peer.socket.end(' \n');
    expect(await readAll(peer)).to.equal('');
  });

  for (const protocol of PROTOCOLS) {
    const others = PROTOCOLS.filter((other) => other !== protocol);

    it(`can be for ${protocol} only`, async () => {
      await listen([protocol]);
      const peer = await connectTcp(port);
      peer.socket.end(BEGINNINGS[protocol].bytes);
      expect((await readAll(peer)).trimEnd()).to.equal(BEGINNINGS[protocol].answer);
      for (const other of others) {
        const refused = await connectTcp(port);
        refused.socket.write(BEGINNINGS[other].bytes);
        expect(await readAll(refused)).to.equal('');
      }
    });

    it(`can be for all but ${protocol}`, async () => {
      await listen(others);
      const refused = await connectTcp(port);
      refused.socket.write(BEGINNINGS[protocol].bytes);
      expect(await readAll(refused)).to.equal('');
      for (const other of others) {
        const peer = await connectTcp(port);
        peer.socket.end(BEGINNINGS[other].bytes);
        expect((await readAll(peer)).trimEnd()).to.equal(BEGINNINGS[other].answer);
      }
    });
  }

  it('has the same locks for all three', async () => {
    await listen();
    const line = await connectTcp(port);
    const json = await connectTcp(port);
    const prefixed = await PrefixedClient.connect(port);
    const say = async (peer: StreamPeer, text: string, answer: string): Promise<void> => {
      peer.send([Buffer.from(text)]);
      expect(await peer.receive(1)).to.equal(answer);
    };
    const tryLock = '{"command":"lock","parameters":{"lockName":"12","timeLimit":0},"id":1}';
    await prefixed.take(12, 1);
    await say(line, 'g 12', '0 Lock Get Failure: 12');
    await say(line, 'd 12', `12: 127.0.0.1:${prefixed.socket.localPort}`);
    await say(json, tryLock, '{"id":1,"result":{"status":"unavailable"}}');
    await prefixed.release('12');
    await say(line, 'g 12', '1 Lock Get Success: 12');
    await prefixed.queue('12', 2);
    await say(json, tryLock, '{"id":1,"result":{"status":"unavailable"}}');
    await say(line, 'r 12', '1 Lock Release Success: 12');
    await prefixed.expect('{"id":2,"result":{"status":"ok"}}');
    prefixed.socket.destroy();
    await untilConnections(server, 2);
    await say(json, tryLock, '{"id":1,"result":{"status":"ok","token":4,"count":1}}');
    await say(line, 'i 12', '1 Lock Is Locked: 12');
  });
});
