import { expect } from 'chai';
import { encodeForwardHeader } from '../../lib/cluster/forward-header.ts';
import { ForwardPort } from '../../lib/cluster/forward-port.ts';
import { join } from '../../lib/cluster/forwarding.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { ManualStream } from '../support/manual-stream.ts';

const PIECE = 'x'.repeat(1_024);
const PIECES = 512;
/** Twice each byte while the room for them is doubled, and once when it comes and when it goes. */
const COPIES = 4;
/** As many as may be without a header from one address. */
const MOST_OF_ADDRESS = 2_048;

/** Counts what is copied from arrays of bytes into others, until the test ends. */
function countCopied(): { bytes: number } {
  const copied = { bytes: 0 };
  const { concat } = Buffer;
  const { set } = Uint8Array.prototype;
  Buffer.concat = (list, length) => {
    copied.bytes += list.reduce((sum, each) => sum + each.length, 0);
    return concat(list, length);
  };
  Uint8Array.prototype.set = function (from, offset) {
    copied.bytes += from.length;
    set.call(this, from, offset);
  };
  whenTestEnds(() => {
    Buffer.concat = concat;
    Uint8Array.prototype.set = set;
  });
  return copied;
}

describe('a connection that a standby forwards', () => {
  afterEach(endTest);

  function forward(limits = { softOutputBytes: 1_000, hardOutputBytes: 1_000_000 }) {
    const [client, leader] = [new ManualStream({ isFramed: true }), new ManualStream()];
    join(client, leader, limits, () => {});
    return { client, leader };
  }

  it('has a frame for each message, and for each line with its line break', () => {
    const { client, leader } = forward();
    leader.receive('{"id":1}\n{"i');
    leader.receive('d":2}\n1 lock');
    leader.receive('ed\n');
    expect(client.calls).to.deep.equal(['{"id":1}', '{"id":2}', '1 locked\n']);
  });

  it('copies the bytes of a long message a few times, however many pieces it comes in', () => {
    const { client, leader } = forward();
    const copied = countCopied();
    for (let count = 0; count < PIECES; count += 1) leader.receive(PIECE);
    leader.receive('\n');
    expect(client.calls).to.deep.equal([`${PIECE.repeat(PIECES)}\n`]);
    expect(copied.bytes).to.be.below(COPIES * PIECES * PIECE.length);
  });

  it('is closed when a message is longer than any answer may be', () => {
    const { client, leader } = forward({ softOutputBytes: 1_000, hardOutputBytes: 2_000 });
    leader.receive(PIECE);
    expect(client.calls).to.deep.equal([]);
    leader.receive(PIECE);
    expect(client.calls).to.deep.equal(['destroy']);
  });
});

describe('the port for forwarded connections', () => {
  afterEach(endTest);

  function openPort() {
    const [taken, refused]: [string[], string[]] = [[], []];
    const port = new ForwardPort({
      isRight: (secret) => secret === 'secret',
      forwarded: (stream) => {
        taken.push(stream.peer);
      },
      refused: (peer, why) => refused.push(`${peer}: ${why}`),
    });
    const accept = (peer: string): ManualStream => {
      const stream = new ManualStream({ peer });
      whenTestEnds(() => stream.close());
      port.accept(stream);
      return stream;
    };
    return { accept, taken, refused };
  }

  function sendHeader(stream: ManualStream, peer: string): void {
    stream.receive(encodeForwardHeader('secret', { peer, options: {} }));
  }

  it('closes the oldest connection without a header when its address has too many, and none of another address', () => {
    const { accept, taken, refused } = openPort();
    const other = accept('10.0.0.2:1');
    const [oldest] = Array.from({ length: MOST_OF_ADDRESS }, (_, index) => accept(`10.0.0.1:${index}`));
    expect(oldest?.calls).to.deep.equal([]);
    accept('10.0.0.1:9999');
    expect(oldest?.calls).to.deep.equal(['destroy']);
    expect(refused).to.deep.equal(['10.0.0.1: it had sent no whole header when too many others came']);
    sendHeader(other, '192.0.2.7:5');
    expect(taken).to.deep.equal(['192.0.2.7:5']);
  });

  it('does not count connections whose header has come', () => {
    const { accept, taken, refused } = openPort();
    for (let count = 0; count <= MOST_OF_ADDRESS; count += 1)
      sendHeader(accept(`10.0.0.1:${count}`), `192.0.2.7:${count}`);
    expect(taken).to.have.length(MOST_OF_ADDRESS + 1);
    expect(refused).to.deep.equal([]);
  });
});
