import { expect } from 'chai';
import type { FullLockServer, Protocol } from '../../lib/foreign/full-lock-server.ts';
import type { LockServerOptions } from '../../lib/server/lock-server-options.ts';
import { endTest } from '../server/clean-up.ts';
import { listenOnTcp, makeServer, untilConnections } from '../server/running-server.ts';
import { refusalsOf } from '../support/refusals.ts';
import { connectTcp, type StreamPeer } from './peers.ts';
import { frame, PrefixedClient } from './prefixed-client.ts';
import { fits, replay, type Transcript } from './replay.ts';
import { TRANSPORTS } from './transports.ts';

/** The first bytes of each protocol and their answer, in Latin-1. */
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
    shows: 'white space and blank lines before JSON are ignored',
    lines: `
      J>\x20\t\r
      J>\x20
      J>  {"command":"ping","id":1}
      J< {"id":1,"result":{"status":"ok"}}`,
  },
  {
    shows: 'white space and blank lines before a line command are lines, and blank ones are counted',
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
    shows: 'a connection keeps its first protocol',
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
  let server: FullLockServer;
  let port: number;
  afterEach(endTest);

  async function listen(protocols?: readonly Protocol[], options: LockServerOptions = {}): Promise<void> {
    server = makeServer(options);
    port = await listenOnTcp(server, protocols === undefined ? {} : { protocols });
  }

  /** Whether the protocol is served: `answered`, or the connection closed without a byte. */
  async function treatmentOf(protocol: Protocol): Promise<'answered' | 'closed'> {
    const peer = await connectTcp(port);
    peer.socket.end(BEGINNINGS[protocol].bytes);
    const answer = (await peer.rest()).trimEnd();
    if (answer !== '') expect(answer).to.equal(BEGINNINGS[protocol].answer);
    return answer === '' ? 'closed' : 'answered';
  }

  it('serves each by its first byte, on connections side by side', async () => {
    await listen();
    for (const protocol of PROTOCOLS) expect(await treatmentOf(protocol), protocol).to.equal('answered');
  });

  it('serves each when the bytes come one by one', async () => {
    await listen();
    for (const protocol of PROTOCOLS) {
      const peer = await connectTcp(port);
      for (const byte of BEGINNINGS[protocol].bytes) {
        await new Promise((resolve) => peer.socket.write(byte, 'latin1', resolve));
      }
      peer.socket.end();
      expect((await peer.rest()).trimEnd()).to.equal(BEGINNINGS[protocol].answer);
    }
  });

  it('closes a connection at once that begins with any other byte', async () => {
    await listen();
    const ours = (byte: number): boolean =>
      byte === 0 || (byte >= 9 && byte <= 13) || byte === 0x20 || byte === 0x7b || (byte >= 0x61 && byte <= 0x7a);
    for (let byte = 0; byte < 256; byte += 1) {
      if (ours(byte)) continue;
      const peer = await connectTcp(port);
      peer.socket.write(Buffer.concat([Buffer.of(byte), Buffer.from(' jobs\ng jobs\n{"command":"ping","id":1}\n')]));
      expect(await peer.rest(), `byte ${byte}`).to.equal('');
    }
    await untilConnections(server, 0);
    expect(server.commandStats()).to.include({ grants: 0 });
    expect(refusalsOf(server.counters)).to.deep.equal({ unknownProtocol: 256 - 1 - 5 - 1 - 1 - 26 });
  });

  it('closes a connection that sends endless white space', async () => {
    await listen();
    const peer = await connectTcp(port);
    peer.socket.write(' '.repeat(65_537));
    expect(await peer.rest()).to.equal('');
    expect(server.commandStats()).to.include({ grants: 0 });
    expect(refusalsOf(server.counters)).to.deep.equal({ unknownProtocol: 1 });
  });

  it('closes a connection that closes its side before it sent anything', async () => {
    await listen();
    const peer = await connectTcp(port);
    peer.socket.end(' \n');
    expect(await peer.rest()).to.equal('');
  });

  for (const protocol of PROTOCOLS) {
    const others = PROTOCOLS.filter((other) => other !== protocol);

    for (const [served, title] of [
      [[protocol], `for ${protocol} only`],
      [others, `for all but ${protocol}`],
    ] as const) {
      it(`can be ${title}`, async () => {
        await listen(served);
        for (const each of PROTOCOLS) {
          expect(await treatmentOf(each), each).to.equal(served.includes(each) ? 'answered' : 'closed');
        }
      });
    }
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
