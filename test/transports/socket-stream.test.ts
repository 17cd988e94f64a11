import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { SocketStream } from '../../lib/transports/socket-stream.ts';

const MORE_THAN_SOCKETS_KEEP = 32 * 1_048_576;

describe('SocketStream', () => {
  let server: Server;
  /** The other end. */
  let peer: Socket;
  let socket: Socket;
  let stream: SocketStream;
  let told: string[];
  let closed: Promise<void>;

  beforeEach(async () => {
    server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    [peer] = (await once(server, 'connection')) as [Socket];
    peer.on('error', () => {});
    stream = new SocketStream(socket, 'the other end', 'stream');
    told = [];
    closed = new Promise((resolve) => {
      stream.start({
        data: (bytes, end) => told.push(Buffer.from(bytes.subarray(0, end)).toString()),
        ended: () => told.push('ended'),
        closed: (error) => {
          told.push(error === undefined ? 'closed' : `closed: ${(error as NodeJS.ErrnoException).code}`);
          resolve();
        },
      });
    });
  });

  afterEach(async () => {
    peer.destroy();
    socket.destroy();
    server.close();
    await once(server, 'close');
  });

  it('passes bytes on, then that the other side is closed, then that it is gone', async () => {
    peer.end('some bytes');
    await once(socket, 'end');
    expect(told).to.deep.equal(['some bytes', 'ended']);
    stream.end();
    await closed;
    expect(told).to.deep.equal(['some bytes', 'ended', 'closed']);
  });

  it('goes on to write after the other side is closed', async () => {
    peer.setEncoding('utf8');
    peer.end();
    await once(socket, 'end');
    stream.write('é😀', 'utf8');
    stream.end();
    expect(await once(peer, 'data')).to.deep.equal(['é😀']);
    await closed;
  });

  it('tells the error by which it was closed, once', async () => {
    peer.resetAndDestroy();
    await closed;
    expect(told).to.deep.equal(['closed: ECONNRESET']);
  });

  it('is gone at once when it is destroyed', async () => {
    stream.write('x'.repeat(MORE_THAN_SOCKETS_KEEP), 'utf8');
    stream.destroy();
    await closed;
    expect(told).to.deep.equal(['closed']);
  });

  it('counts what the system has not taken, and calls back when it has taken everything', async () => {
    stream.write('a little', 'utf8');
    await new Promise<void>((resolve) => stream.whenDrained(resolve));
    expect(stream.unsentBytes).to.equal(0);
    peer.pause();
    stream.write('x'.repeat(MORE_THAN_SOCKETS_KEEP), 'utf8');
    expect(stream.unsentBytes).to.be.greaterThan(0);
    const unsent = new Promise<number>((resolve) => stream.whenDrained(() => resolve(stream.unsentBytes)));
    peer.resume();
    expect(await unsent).to.equal(0);
  });

  it('does not call back about what was written when it is destroyed before', async () => {
    let isDrained = false;
    peer.pause();
    stream.write('x'.repeat(MORE_THAN_SOCKETS_KEEP), 'utf8');
    stream.whenDrained(() => {
      isDrained = true;
    });
    stream.destroy();
    await closed;
    await new Promise((resolve) => setImmediate(resolve));
    expect(isDrained).to.equal(false);
  });

  it('passes nothing on while it is paused', async () => {
    stream.pause();
    await new Promise((resolve) => peer.write('some bytes', resolve));
    // What the peer sends back and forth over another connection proves that the bytes had time to come.
    const { port } = server.address() as { port: number };
    const other = connect({ host: '127.0.0.1', port });
    const [accepted] = (await once(server, 'connection')) as [Socket];
    accepted.end('bystander');
    await once(other, 'data');
    expect(told).to.deep.equal([]);
    const bytes = once(socket, 'data');
    stream.resume();
    await bytes;
    expect(told).to.deep.equal(['some bytes']);
    other.destroy();
  });
});
