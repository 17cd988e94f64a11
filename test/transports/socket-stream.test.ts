import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { SocketStream } from '../../lib/transports/socket-stream.ts';

describe('SocketStream', () => {
  it('reports once the error that closed it', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    const [peer] = (await once(server, 'connection')) as [Socket];
    const told: unknown[] = [];
    const closed = new Promise((resolve) => {
      new SocketStream(socket, 'the other end').start({
        data: () => {},
        ended: () => told.push('ended'),
        closed: (error) => resolve(told.push((error as NodeJS.ErrnoException).code)),
      });
    });
    peer.resetAndDestroy();
    await closed;
    server.close();
    await once(server, 'close');
    expect(told).to.deep.equal(['ECONNRESET']);
  });
});
