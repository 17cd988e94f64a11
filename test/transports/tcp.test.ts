import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { dialTcp, tcp } from '../../lib/transports/tcp.ts';
import { RawClient } from '../server/raw-client.ts';
import { LOOPBACK } from '../server/running-server.ts';
import type { CounterServer } from '../support/counter-server.ts';
import { messageScope } from '../support/message-scope.ts';
import { parseAddress } from '../support/parse-address.ts';
import { refusalsOf } from '../support/refusals.ts';
import { errorOf } from '../support/rejection.ts';

function notAllowed(address: string): string {
  const remedy = `add "${address}" to "allowed" in the settings`;
  return `refused a connection from ${address}: its address is not allowed; to allow it, ${remedy}`;
}

describe('tcp', () => {
  const scope = messageScope();
  let server: CounterServer;

  beforeEach(async () => {
    server = await scope.startServer();
  });

  /** Has the server listen there, too; resolves to the port. */
  async function listen(host: string, allowed: readonly string[]): Promise<number> {
    return parseAddress(await server.listen(tcp({ host, port: 0, allowed }))).port;
  }

  function connectFrom(localAddress: string, port: number, host = '127.0.0.1'): Promise<RawClient> {
    return RawClient.connect(`${host}:${port}`, { localAddress });
  }

  async function expectRefused(peer: RawClient): Promise<void> {
    peer.send({ command: 'add' }, { command: 'add', id: 1 });
    await peer.closed;
    expect(peer.bytesReceived).to.equal(0);
    expect(server.count).to.equal(0);
    expect(server.began).to.deep.equal([]);
  }

  it('returns the address on which it listens', async () => {
    expect(scope.address).to.match(/^127\.0\.0\.1:[1-9]\d*$/);
    expect(await server.listen(tcp({ host: '::1', port: 0, allowed: [] }))).to.match(/^\[::1\]:[1-9]\d*$/);
  });

  it('closes connections from other addresses without sending a byte', async () => {
    const port = await listen('127.0.0.1', ['127.0.0.1']);
    for (let count = 1; count <= 3; count += 1) {
      await expectRefused(await connectFrom('127.0.0.2', port));
      expect(server.counters).to.include({ connections: 0 });
      expect(refusalsOf(server.counters)).to.deep.equal({ allowList: count });
    }
    await expectRefused(await connectFrom('127.0.0.3', port));
    expect(scope.logger.warnings).to.deep.equal([notAllowed('127.0.0.2'), notAllowed('127.0.0.3')]);
  });

  it('closes IPv4 connections in IPv6 form that are not allowed', async () => {
    const port = await listen('::', ['127.0.0.1', '::1']);
    await expectRefused(await connectFrom('127.0.0.2', port));
    expect(refusalsOf(server.counters)).to.deep.equal({ allowList: 1 });
    expect(scope.logger.warnings).to.deep.equal([notAllowed('127.0.0.2')]);
  });

  for (const [host, allowed, addresses] of [
    ['127.0.0.1', ['127.0.0.2', '127.1.0.0/16'], ['127.0.0.2', '127.1.2.3']],
    ['::', ['127.0.0.2'], ['127.0.0.2']],
    ['::', ['::1'], ['::1']],
  ] as const) {
    it(`allows only ${allowed.join(' and ')} on ${host}, whatever other listeners allow`, async () => {
      const port = await listen(host, allowed);
      await (await scope.connectPeer()).settle();
      for (const address of addresses) {
        await (await connectFrom(address, port, address === '::1' ? '::1' : '127.0.0.1')).settle();
        const shown = address === '::1' ? '[::1]:' : `${address}:`;
        expect(server.began.at(-1)?.address.startsWith(shown)).to.equal(true);
      }
      const refused = await connectFrom('127.0.0.1', port);
      await refused.closed;
      expect(refused.bytesReceived).to.equal(0);
      expect(server.counters).to.include({ connections: 1 + addresses.length });
      expect(refusalsOf(server.counters)).to.deep.equal({ allowList: 1 });
    });
  }

  it('survives clients that are gone before it accepts them', async () => {
    const { port } = parseAddress(scope.address);
    for (let count = 0; count < 50; count += 1) (await connectFrom('127.0.0.1', port)).reset();
    await (await scope.connectPeer()).settle();
    await server.close();
    expect(server.ended).to.have.length(server.began.length);
  });

  it('rejects with EADDRINUSE when the port is taken, and the server goes on', async () => {
    const { host, port } = parseAddress(scope.address);
    expect(await errorOf(server.listen(tcp({ host, port, allowed: [] })))).to.have.property('code', 'EADDRINUSE');
    await (await scope.connectPeer()).settle();
    await server.close();
  });

  it('rejects with the error of the system for an address of another machine', async () => {
    const failed = errorOf(server.listen(tcp({ host: '192.0.2.1', port: 0, allowed: [] })));
    expect(await failed).to.have.property('code', 'EADDRNOTAVAIL');
  });

  it('frees the port when it is closed, and keeps its connections', async () => {
    const listener = tcp(LOOPBACK);
    const { host, port } = parseAddress(
      await listener.open({
        accepted: (stream) => {
          const echo = (bytes: Uint8Array, end?: number): void =>
            stream.write(Buffer.from(bytes.subarray(0, end)).toString(), 'utf8');
          stream.start({ data: echo, ended: () => stream.end(), closed: () => {} });
        },
        refused: () => {},
        failed: () => {},
      }),
    );
    const peer = await connectFrom('127.0.0.1', port);
    peer.send({ first: 1 });
    await peer.next();
    await listener.close();
    const other = createServer().listen({ host, port });
    await once(other, 'listening');
    other.close();
    peer.send({ second: 2 });
    expect(await peer.next()).to.deep.equal({ second: 2 });
  });
});

describe('dialTcp', () => {
  const scope = messageScope();

  it('names its peer', async () => {
    const server = await scope.startRawServer();
    const stream = await server.dial(new AbortController().signal);
    expect(stream.peer).to.equal(`127.0.0.1:${server.port}`);
    stream.destroy();
    await (await server.accept()).closed;
  });

  it('can write after the other side has closed its side', async () => {
    const server = await scope.startRawServer();
    const stream = await server.dial(new AbortController().signal);
    const ended = new Promise<void>((resolve) => {
      stream.start({ data: () => {}, ended: resolve, closed: () => {} });
    });
    const peer = await server.accept();
    peer.socket.end();
    await ended;
    await new Promise((resolve) => setImmediate(resolve));
    stream.write('{"late":true}\n', 'utf8');
    stream.end();
    expect(await peer.next()).to.deep.equal({ late: true });
  });

  it('leaves the stream alone when the signal is aborted afterwards', async () => {
    await scope.startServer();
    const controller = new AbortController();
    const stream = await dialTcp(parseAddress(scope.address))(controller.signal);
    controller.abort();
    const answer = new Promise<string>((resolve, reject) => {
      stream.start({
        data: (bytes, end) => resolve(Buffer.from(bytes.subarray(0, end)).toString()),
        ended: () => reject(new Error('ended')),
        closed: () => reject(new Error('closed')),
      });
    });
    stream.write('{"command":"add","id":1}\n', 'utf8');
    expect(await answer).to.equal('{"id":1,"result":{"status":"ok","count":1}}\n');
    stream.destroy();
  });
});
