import { expect } from 'chai';
import type { ByteStream, Dialer } from '../../lib/message/byte-stream.ts';
import { MessageClient } from '../../lib/message/message-client.ts';
import { dialTcp } from '../../lib/transports/tcp.ts';
import { freePort } from '../support/free-port.ts';
import { ManualStream } from '../support/manual-stream.ts';
import { messageScope } from '../support/message-scope.ts';
import type { RawServer } from '../support/raw-server.ts';
import { errorOf } from '../support/rejection.ts';

/** Never connects, and gives up when its signal aborts. */
const dialNowhere: Dialer = (signal) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });

/** Never connects and never gives up. */
const dialForever: Dialer = () => new Promise(() => {});

describe('MessageClient: connecting', () => {
  const scope = messageScope();
  let server: RawServer;

  beforeEach(async () => {
    server = await scope.startRawServer();
  });

  it('goes from idle through connecting and open to closed, with events', async () => {
    const told: string[] = [];
    const client = new MessageClient();
    client.on('connect', () => told.push(`connect, ${client.state}`));
    client.on('close', (error) => told.push(`close, ${client.state}, ${String(error)}`));
    expect(client.state).to.equal('idle');
    const connecting = client.connect(server.dial);
    expect(client.state).to.equal('connecting');
    await connecting;
    expect(client.state).to.equal('open');
    const closing = client.close();
    expect(client.state).to.equal('closing');
    await closing;
    expect(client.state).to.equal('closed');
    expect(told).to.deep.equal(['connect, open', 'close, closed, undefined']);
  });

  it('rejects with the error of the system when nobody listens there', async () => {
    const port = await freePort();
    const client = new MessageClient();
    expect(await errorOf(client.connect(dialTcp({ host: '127.0.0.1', port })))).to.have.property(
      'code',
      'ECONNREFUSED',
    );
    expect(client.state).to.equal('closed');
  });

  for (const [which, dial] of [
    ['a dialer that gives up when told to', dialNowhere],
    ['a dialer that ignores its signal', dialForever],
  ] as const) {
    it(`rejects with timeout when it gets no connection in time from ${which}`, async () => {
      const client = new MessageClient();
      const error = await errorOf(client.connect(dial, { connectTimeoutMs: 1 }));
      expect(error).to.include({ name: 'MessageError', code: 'timeout' });
      expect(client.state).to.equal('closed');
    });
  }

  it('destroys a stream that comes too late', async () => {
    const stream = new ManualStream();
    let arrive: (stream: ByteStream) => void = () => {};
    const dial: Dialer = () =>
      new Promise((resolve) => {
        arrive = resolve;
      });
    await errorOf(new MessageClient().connect(dial, { connectTimeoutMs: 1 }));
    arrive(stream);
    await new Promise((resolve) => setImmediate(resolve));
    expect(stream.calls).to.deep.equal(['destroy']);
  });

  it('rejects with closed when the client is closed meanwhile', async () => {
    const client = new MessageClient();
    const failed = errorOf(client.connect(dialNowhere, { connectTimeoutMs: Number.POSITIVE_INFINITY }));
    await client.close();
    expect(await failed).to.include({ name: 'MessageError', code: 'closed' });
    expect(client.state).to.equal('closed');
  });

  it('opens no connection when the client is closed while it dials', async () => {
    const client = new MessageClient();
    const failed = errorOf(client.connect(server.dial));
    await client.close();
    expect(await failed).to.have.property('code', 'closed');
    expect(client.state).to.equal('closed');
  });

  it('connects once', async () => {
    const client = new MessageClient();
    const first = client.connect(server.dial);
    expect(await errorOf(client.connect(server.dial))).to.have.property('message', 'a client connects once');
    await first;
    expect(await errorOf(client.connect(server.dial))).to.have.property('code', 'closed');
    await client.close();
    expect(await errorOf(client.connect(server.dial))).to.have.property('code', 'closed');
  });

  it('does not connect after it was closed', async () => {
    const client = new MessageClient();
    await client.close();
    expect(client.state).to.equal('closed');
    expect(await errorOf(client.connect(server.dial))).to.have.property('code', 'closed');
  });

  it('closes the connection at the end of its scope', async () => {
    {
      await using client = new MessageClient();
      await client.connect(server.dial);
      expect(client.state).to.equal('open');
    }
    const peer = await server.accept();
    expect((await peer.closed).hasEnded).to.equal(true);
  });
});
