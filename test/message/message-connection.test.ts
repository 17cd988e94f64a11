import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { closeStreams, connectionThat, type Handler, MAX_MESSAGE_BYTES } from '../support/connection-by-hand.ts';

const echo: Handler = (message, connection) => connection.send(message);

/** A message with this many bytes on the wire. */
function sized(bytes: number): string {
  return `{"a":"${'x'.repeat(bytes - 9)}"}\n`;
}

describe('MessageConnection', () => {
  afterEach(closeStreams);

  it('sends all replies to one piece of input in one write', () => {
    const { stream } = connectionThat(echo);
    stream.receive('{"a":1}\n{"a":2}\n');
    expect(stream.calls).to.deep.equal(['{"a":1}\n{"a":2}\n']);
    stream.receive('{"a":3}\n');
    expect(stream.calls).to.deep.equal(['{"a":1}\n{"a":2}\n', '{"a":3}\n']);
  });

  it('sends messages outside of input in one write, too, in the same turn', async () => {
    const { stream, connection } = connectionThat(echo);
    stream.receive('{"a":1}\n');
    connection.send({ a: 2 });
    connection.send({ a: 3 });
    expect(stream.calls).to.deep.equal(['{"a":1}\n']);
    await Promise.resolve();
    expect(stream.calls).to.deep.equal(['{"a":1}\n', '{"a":2}\n{"a":3}\n']);
  });

  it('writes to several connections in the order of their first messages', () => {
    const other = connectionThat(() => {});
    other.stream.receive('{"hello":true}\n');
    const { stream } = connectionThat((message, connection) => {
      other.connection.send({ for: 'the other' });
      connection.send(message);
    });
    const order: string[] = [];
    for (const [name, each] of [['other', other.stream] as const, ['own', stream] as const]) {
      each.write = () => order.push(name);
    }
    stream.receive('{"a":1}\n{"a":2}\n');
    expect(order).to.deep.equal(['other', 'own']);
  });

  it('stops decoding at the soft limit of unsent output, even within a chunk', async () => {
    const { stream, told } = connectionThat(echo);
    stream.isStuck = true;
    stream.receive(sized(60).repeat(5));
    expect(told).to.have.length(2);
    stream.receive(sized(60));
    await nextTurn();
    expect(told).to.have.length(2);
    expect(stream.calls.join('')).to.equal(sized(60).repeat(2));
  });

  it('decodes on at one byte below the soft limit, and not at it', () => {
    const below = connectionThat(echo);
    below.stream.isStuck = true;
    below.stream.receive(sized(99) + sized(20));
    expect(below.told).to.have.length(2);
    const at = connectionThat(echo);
    at.stream.isStuck = true;
    at.stream.receive(sized(100) + sized(20));
    expect(at.told).to.have.length(1);
  });

  it('goes on where it stopped once the output has drained, and stops again', async () => {
    const { stream, told } = connectionThat(echo);
    stream.isStuck = true;
    stream.receive(sized(60).repeat(4));
    stream.receive(sized(60));
    expect(stream.isPaused).to.equal(true);
    stream.drain();
    expect(told).to.have.length(4);
    stream.drain();
    expect(told).to.have.length(5);
    expect(stream.isPaused).to.equal(false);
    await nextTurn();
    expect(stream.calls.join('')).to.equal(sized(60).repeat(5));
  });

  it('decodes on when the system takes the output at once', () => {
    const { stream, told } = connectionThat(echo);
    stream.receive(sized(60).repeat(5));
    expect(told).to.have.length(5);
    expect(stream.isPaused).to.equal(false);
  });

  it('stops reading only when more comes while messages wait', () => {
    const { stream, told } = connectionThat(echo);
    stream.isStuck = true;
    stream.receive(sized(60).repeat(3));
    expect(told).to.have.length(2);
    expect(stream.isPaused).to.equal(false);
    stream.receive(sized(60));
    expect(told).to.have.length(2);
    expect(stream.isPaused).to.equal(true);
  });

  it('tells when the peer was last heard of, also while messages wait', () => {
    const { stream, connection } = connectionThat(echo);
    stream.isStuck = true;
    for (let time = 0; time < 3; time += 1) {
      const before = performance.now();
      stream.receive(sized(60).repeat(3));
      expect(connection.heardMs).to.be.at.least(before);
    }
  });

  it('handles the end of the peer only when the output has drained', () => {
    const { stream, told } = connectionThat(echo);
    stream.isStuck = true;
    stream.receive(sized(60).repeat(3));
    stream.receiveEnd();
    expect(told).to.have.length(2);
    stream.drain();
    expect(told.slice(2)).to.deep.equal([sized(60).trim(), 'finished']);
  });

  it('cuts the peer off above the hard limit, not at it', () => {
    const { stream, connection, told } = connectionThat(echo);
    stream.isStuck = true;
    stream.receive('{"a":1}\n');
    expect(stream.calls.splice(0)).to.deep.equal(['{"a":1}\n']);
    for (let count = 0; count < 9; count += 1) connection.send(JSON.parse(sized(108)));
    expect(connection.unsentBytes).to.equal(980);
    connection.send(JSON.parse(sized(20)));
    expect(connection.unsentBytes).to.equal(1_000);
    expect(told).to.deep.equal(['{"a":1}']);
    connection.send(JSON.parse(sized(10)));
    expect(told).to.deep.equal(['{"a":1}', 'closed: more than 1000 bytes of unsent output']);
    expect(stream.calls).to.deep.equal(['destroy']);
  });

  it('passes on no message after it was closed', () => {
    for (const close of ['end', 'destroy'] as const) {
      const { stream, told } = connectionThat((_message, connection) => connection[close]());
      stream.receive('{"a":1}\n{"a":2}\n');
      stream.receive('{"a":3}\n');
      expect(told, close).to.deep.equal(close === 'end' ? ['{"a":1}'] : ['{"a":1}', 'closed']);
    }
  });

  it('sends all its output before it closes its side, and nothing afterwards', async () => {
    const { stream, connection } = connectionThat(echo);
    stream.receive('{"a":1}\n');
    connection.end();
    connection.send({ a: 2 });
    connection.end();
    await nextTurn();
    expect(stream.calls).to.deep.equal(['{"a":1}\n', 'end']);
  });

  it('reads on, and drops the input, when it closes its side while paused', () => {
    const { stream, connection, told } = connectionThat(echo);
    stream.isStuck = true;
    stream.receive(sized(100).repeat(2));
    stream.receive(sized(100));
    expect(stream.isPaused).to.equal(true);
    connection.end();
    expect(stream.isPaused).to.equal(false);
    stream.drain();
    expect(told).to.have.length(1);
  });

  it('reports its end once, whoever closed it, and then sends nothing', async () => {
    const { stream, connection, told } = connectionThat(echo);
    stream.receive('{"a":1}\n');
    connection.send({ a: 1 });
    stream.close(new Error('reset'));
    stream.close();
    connection.destroy(new Error('again'));
    connection.send({ a: 2 });
    connection.end();
    await nextTurn();
    expect(told).to.deep.equal(['{"a":1}', 'closed: reset']);
    expect(stream.calls.filter((call) => call !== 'destroy')).to.deep.equal(['{"a":1}\n']);
  });

  it('still answers a peer that has closed its side', async () => {
    const { stream, connection, told } = connectionThat(() => {});
    stream.receive('{"a":1}');
    expect(connection.isFinished).to.equal(false);
    stream.receiveEnd();
    expect(told).to.deep.equal(['{"a":1}', 'finished']);
    expect(connection.isFinished).to.equal(true);
    connection.send({ answer: 1 });
    await nextTurn();
    expect(stream.calls).to.deep.equal(['{"answer":1}\n']);
    connection.end();
    expect(connection.isFinished).to.equal(false);
  });

  it('closes after the answer to a peer that broke the protocol', () => {
    const { stream, told } = connectionThat(echo);
    stream.receive(`{"a":1}\nnonsense\n${'x'.repeat(MAX_MESSAGE_BYTES + 1)}\n{"a":2}\n`);
    expect(told).to.deep.equal(['{"a":1}', 'not JSON', 'broken']);
    expect(stream.calls).to.deep.equal(['{"a":1}\n{"last":"word"}\n', 'end']);
  });

  it('closes at once when the first bytes belong to no protocol', () => {
    const { stream, told } = connectionThat(echo);
    stream.receive('  ');
    stream.receive('GET / HTTP/1.1\r\n\r\n{"a":1}\n');
    stream.receive('{"a":2}\n');
    expect(told).to.deep.equal(['closed']);
    expect(stream.calls).to.deep.equal(['destroy']);
  });
});

describe('MessageConnection on a stream that answers within a write', () => {
  it('loses no message that a write causes, here or on another connection', async () => {
    const other = connectionThat(echo);
    other.stream.receive('{"first":1}\n');
    const { stream } = connectionThat(echo);
    const toReceive = ['{"within":2}\n', '{"within":3}\n'];
    stream.onWrite = () => {
      const next = toReceive.shift();
      if (next === undefined) return;
      stream.receive(next);
      other.connection.send({ behind: toReceive.length });
    };
    stream.receive('{"n":1}\n');
    await nextTurn();
    expect(stream.calls).to.deep.equal(['{"n":1}\n', '{"within":2}\n', '{"within":3}\n']);
    expect(other.stream.calls.join('')).to.equal('{"first":1}\n{"behind":1}\n{"behind":0}\n');
    other.connection.send({ last: 4 });
    await nextTurn();
    expect(other.stream.calls.at(-1)).to.equal('{"last":4}\n');
  });
});

describe('MessageConnection without input', () => {
  it('does not cut off a peer if its output has drained meanwhile', async () => {
    const { stream, connection, told } = connectionThat(echo);
    stream.receive('{"a":1}\n');
    stream.isStuck = true;
    connection.send({ x: 'y'.repeat(900) });
    await nextTurn();
    stream.drain();
    connection.send({ x: 'z'.repeat(900) });
    await nextTurn();
    expect(told).to.deep.equal(['{"a":1}']);
    connection.send({ x: 'too much' });
    connection.send({ x: 'y'.repeat(200) });
    expect(told.at(-1)).to.equal('closed: more than 1000 bytes of unsent output');
  });

  it('never calls back about output after its end', () => {
    const { connection } = connectionThat(echo);
    connection.end();
    connection.whenDrained(() => expect.fail('called back'));
  });
});
