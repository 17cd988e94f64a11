import { expect } from 'chai';
import { memory } from '../../lib/transports/memory.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { LOOPBACK } from '../server/running-server.ts';
import { CounterServer } from '../support/counter-server.ts';
import { freePort } from '../support/free-port.ts';
import { messageScope } from '../support/message-scope.ts';
import { refusalsOf } from '../support/refusals.ts';
import { errorOf } from '../support/rejection.ts';

describe('MessageServer: the end of a connection', () => {
  const scope = messageScope();
  let server: CounterServer;

  beforeEach(async () => {
    server = await scope.startServer({ maxMessageBytes: 1_000, hardOutputBytes: 100_000 });
  });

  describe('by a client that closes its side', () => {
    it('carries out and answers everything it received, then closes', async () => {
      const peer = await scope.connectPeer();
      peer.send({ command: 'add', id: 1 }, { command: 'add' }, { command: 'add', id: 2 });
      peer.socket.end();
      expect(await peer.rest()).to.deep.equal([
        { id: 1, result: { status: 'ok', count: 1 } },
        { id: 2, result: { status: 'ok', count: 3 } },
      ]);
      expect(await peer.closed).to.deep.equal({ hasEnded: true, error: undefined });
    });

    it('carries out a last message without a newline', async () => {
      const peer = await scope.connectPeer();
      peer.write('{"command":"add","id":1}');
      peer.socket.end();
      expect(await peer.rest()).to.deep.equal([{ id: 1, result: { status: 'ok', count: 1 } }]);
    });

    it('answers the waits that end with the session', async () => {
      const peer = await scope.connectPeer();
      peer.send(
        { command: 'wait', parameters: { key: 'a' }, id: 1 },
        { command: 'wait', parameters: { key: 'b' }, id: 2 },
        { command: 'add', id: 3 },
      );
      peer.socket.end();
      expect(await peer.rest()).to.deep.equal([
        { id: 3, result: { status: 'ok', count: 1 } },
        { id: 1, result: { status: 'cancelled' } },
        { id: 2, result: { status: 'cancelled' } },
      ]);
      expect(await peer.closed).to.deep.equal({ hasEnded: true, error: undefined });
    });

    it('answers slow requests before it closes', async () => {
      const peer = await scope.connectPeer();
      peer.send(
        { command: 'promise', parameters: { key: 'a' }, id: 1 },
        { command: 'promise', parameters: { key: 'b' }, id: 2 },
        { command: 'promise', parameters: { key: 'c' } },
      );
      peer.socket.end();
      await server.until(() => server.ended.length === 1);
      const bystander = await scope.connectPeer();
      await bystander.request('release', { key: 'b' }, 1);
      expect(await peer.next()).to.have.property('id', 2);
      await bystander.settle();
      expect(server.sessionCount).to.equal(2);
      await bystander.request('release', { key: 'a' }, 2);
      expect(await peer.rest()).to.deep.equal([{ id: 1, result: { status: 'ok', released: 'a' } }]);
      expect((await peer.closed).hasEnded).to.equal(true);
    });

    it('closes even if a slow request fails', async () => {
      const peer = await scope.connectPeer();
      peer.send({ command: 'promise', parameters: { key: 'bad' }, id: 1 });
      peer.socket.end();
      await server.until(() => server.ended.length === 1);
      await (await scope.connectPeer()).request('release', { key: 'bad' }, 1);
      expect(await peer.rest()).to.have.nested.property('[0].error.status', 'internal');
      expect((await peer.closed).hasEnded).to.equal(true);
    });

    it('closes even if it sent nothing', async () => {
      const peer = await scope.connectPeer();
      peer.socket.end();
      expect(await peer.closed).to.deep.equal({ hasEnded: true, error: undefined });
    });
  });

  describe('tells the subclass once that a session began and once that it ended', () => {
    const endings: [string, (peer: RawClient) => unknown][] = [
      ['a client that closes its side', (peer) => peer.socket.end()],
      ['a client that destroys the socket', (peer) => peer.socket.destroy()],
      ['a client that resets the connection', (peer) => peer.reset()],
      ['a message that is too long', (peer) => peer.write('x'.repeat(2_000))],
      ['a message that is too long from a client that is gone', (peer) => peer.socket.end('x'.repeat(2_000))],
      [
        'too many events',
        async () => (await scope.connectPeer()).send({ command: 'broadcast', parameters: { bytes: 200_000 } }),
      ],
      ['the server', () => server.close()],
      [
        'a client that closes its side and is reset while it is answered',
        async (peer) => {
          peer.send({ command: 'promise', parameters: { key: 'a' }, id: 1 });
          peer.socket.end();
          await server.until(() => server.ended.length === 1);
          peer.reset();
        },
      ],
      [
        'a client that is reset while the server closes',
        (peer) => {
          const closed = server.close();
          peer.reset();
          return closed;
        },
      ],
    ];
    for (const [what, end] of endings) {
      it(`when it is ended by ${what}`, async () => {
        const peer = await scope.connectPeer();
        peer.send({ command: 'wait', parameters: { key: 'w' }, id: 'w' });
        await peer.settle();
        const [session] = server.began;
        expect(server.ended).to.deep.equal([]);
        await end(peer);
        await peer.closed;
        await server.until(() => server.ended.length > 0);
        const bystander = await scope.connectPeer().catch(() => undefined);
        await bystander?.settle();
        await server.close();
        expect(server.ended.filter((each) => each === session)).to.have.length(1);
        expect(server.began.filter((each) => each === session)).to.have.length(1);
        expect(server.ended).to.have.length(server.began.length);
        expect(server.waitCount).to.equal(0);
      });
    }

    it('when its first byte belongs to no protocol', async () => {
      const peer = await scope.connectPeer();
      peer.write('GET / HTTP/1.1\r\n\r\n');
      await peer.closed;
      await server.close();
      expect(server.began).to.have.length(1);
      expect(server.ended).to.deep.equal(server.began);
    });

    it('when it never sent a byte', async () => {
      const peer = await scope.connectPeer();
      await server.until(() => server.began.length === 1);
      peer.reset();
      await server.until(() => server.ended.length === 1);
      await server.close();
      expect(server.ended).to.deep.equal(server.began);
    });
  });

  it('ends the session at once when a message is too long, even if the client does not close its side', async () => {
    const patient = await scope.startServer({ maxMessageBytes: 1_000, closeTimeoutMs: 600_000 });
    const peer = await scope.connectPeer({ allowHalfOpen: true });
    peer.send({ command: 'wait', parameters: { key: 'a' }, id: 1 });
    await peer.settle();
    peer.write('x'.repeat(2_000));
    await patient.until(() => patient.ended.length === 1);
    expect(patient.sessionCount).to.equal(1);
    expect(patient.waitCount).to.equal(0);
    expect(await peer.next()).to.have.nested.property('error.status', 'limit');
  });

  it('drops results that come after the connection is gone', async () => {
    const peer = await scope.connectPeer();
    peer.send({ command: 'promise', parameters: { key: 'a' }, id: 1 });
    await peer.settle();
    peer.reset();
    await server.until(() => server.ended.length === 1);
    const bystander = await scope.connectPeer();
    expect(await bystander.request('release', { key: 'a' }, 1)).to.deep.equal({ id: 1, result: { status: 'ok' } });
    await bystander.settle();
  });
});

describe('MessageServer.close', () => {
  const scope = messageScope();
  let server: CounterServer;

  beforeEach(async () => {
    server = await scope.startServer();
  });

  async function expectRefused(address: string): Promise<void> {
    expect(await errorOf(RawClient.connect(address))).to.have.property('code', 'ECONNREFUSED');
  }

  /** Makes `close` wait until the returned function is called. */
  function keepDraining(): () => void {
    let finish = (): void => {};
    server.drained = new Promise((resolve) => {
      finish = resolve;
    });
    return finish;
  }

  it('closes the connections of all clients, even of those that wait', async () => {
    const peer = await scope.connectPeer();
    const silent = await scope.connectPeer();
    await server.until(() => server.began.length === 2);
    peer.send({ command: 'wait', parameters: { key: 'a' }, id: 1 });
    await server.until(() => server.waitCount === 1);
    await server.close();
    expect(await peer.rest()).to.deep.equal([{ id: 1, result: { status: 'cancelled' } }]);
    expect((await silent.closed).hasEnded).to.equal(true);
    expect(server.sessionCount).to.equal(0);
    await expectRefused(scope.address);
  });

  it('closes a server that never listened', async () => {
    await new CounterServer({ limits: {}, logger: scope.logger }).close();
  });

  it('cuts off clients that do not close their side in time', async () => {
    const stubborn = await scope.connectPeer({ allowHalfOpen: true });
    await stubborn.settle();
    await server.close();
    expect(server.ended).to.deep.equal(server.began);
    expect(server.sessionCount).to.equal(0);
  });

  it('cuts off clients that do not read in time', async () => {
    const deaf = await scope.connectPeer();
    await deaf.settle();
    deaf.socket.pause();
    deaf.send(...Array.from({ length: 500 }, (_, id) => ({ command: 'blob', parameters: { bytes: 65_536 }, id })));
    const bystander = await scope.connectPeer();
    await bystander.settle();
    await server.close();
    expect(server.sessionCount).to.equal(0);
  });

  it('refuses a connection that still comes, and counts it', async () => {
    const inner = memory();
    // Its port stays open, as if a connection had been on its way.
    await server.listen({ open: (events) => inner.open(events), close: () => Promise.resolve() });
    const finish = keepDraining();
    const closed = server.close({ drainMs: 60_000 });
    const client = await inner.dial(new AbortController().signal);
    const error = await new Promise((resolve) => {
      client.start({ data: () => {}, ended: () => {}, closed: resolve });
    });
    expect(error).to.have.property('code', 'ECONNRESET');
    expect(refusalsOf(server.counters)).to.deep.equal({ draining: 1 });
    expect(scope.logger.warnings).to.deep.equal(['refused a connection from memory: the server is about to stop']);
    finish();
    await closed;
  });

  it('serves its clients and takes no new ones until they have finished', async () => {
    const finish = keepDraining();
    const peer = await scope.connectPeer();
    await peer.settle();
    const closed = server.close({ drainMs: Number.POSITIVE_INFINITY });
    expect(await peer.request('add', {}, 1)).to.deep.equal({ id: 1, result: { status: 'ok', count: 1 } });
    await expectRefused(scope.address);
    // Takes longer than a server that does not wait.
    for (let count = 2; count <= 200; count += 1) {
      expect(await peer.request('add', {}, count)).to.have.nested.property('result.count', count);
    }
    finish();
    await closed;
    expect((await peer.closed).hasEnded).to.equal(true);
  });

  it('closes when the time is over, even if its clients have not finished', async () => {
    server.drained = new Promise(() => {});
    const peer = await scope.connectPeer();
    await peer.settle();
    await server.close({ drainMs: 1 });
    expect((await peer.closed).hasEnded).to.equal(true);
  });

  it('closes all listeners', async () => {
    const second = await server.listen(tcp(LOOPBACK));
    const peer = await RawClient.connect(second);
    await peer.settle();
    await server.close();
    await expectRefused(scope.address);
    await expectRefused(second);
  });

  it('ends all sessions even if a listener cannot be closed, then rejects with its error', async () => {
    const failing = new CounterServer({ limits: {}, logger: scope.logger });
    for (const message of ['first', 'second']) {
      await failing.listen({ open: () => Promise.resolve('nowhere'), close: () => Promise.reject(new Error(message)) });
    }
    const address = await failing.listen(tcp(LOOPBACK));
    const peer = await RawClient.connect(address);
    peer.send({ command: 'wait', parameters: { key: 'a' }, id: 1 });
    await failing.until(() => failing.waitCount === 1);
    expect(await errorOf(failing.close())).to.have.property('message', 'first');
    expect(await peer.rest()).to.deep.equal([{ id: 1, result: { status: 'cancelled' } }]);
    expect(failing.sessionCount).to.equal(0);
    await expectRefused(address);
  });

  it('leaves the server closed for good', async () => {
    await server.close();
    expect(await errorOf(server.listen(tcp(LOOPBACK)))).to.have.property('message', 'the server is closed');
  });

  it('closes a listener that was about to be opened', async () => {
    const port = await freePort();
    const listener = tcp({ ...LOOPBACK, port });
    whenTestEnds(() => listener.close());
    const listening = server.listen(listener).catch(() => undefined);
    await server.close();
    await listening;
    await expectRefused(`127.0.0.1:${port}`);
  });

  it('lets a client close cleanly at the same time', async () => {
    const client = await scope.connectClient();
    await Promise.all([server.close(), client.close()]);
    expect(client.state).to.equal('closed');
    await expectRefused(scope.address);
  });
});
