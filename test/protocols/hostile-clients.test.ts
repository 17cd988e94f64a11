import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { endTest } from '../server/clean-up.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';

const PAIRS = 1_000;

describe('hostile clients', () => {
  let server: RunningServer;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    server = await startServer();
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await endTest();
  });

  async function open(): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true });
    socket.on('error', () => {});
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  }

  /** Everything that comes until the connection ends. */
  async function rest(socket: Socket): Promise<string> {
    let text = '';
    for await (const bytes of socket) text += (bytes as Buffer).toString('latin1');
    return text;
  }

  async function takesTurnsMeanwhile(): Promise<void> {
    const client = await server.client();
    for (let pair = 0; pair < PAIRS; pair += 1) {
      expect(await (await client.lock('bystander', { waitMs: 0 })).release()).to.equal(true);
    }
  }

  async function leavesNothing(): Promise<void> {
    const client = await server.connect();
    const counts = await client.ask('stats');
    expect(counts).to.include({ locks: 0, permits: 0, holders: 0, waiting: 0, failedRequests: 0 });
  }

  it('get the limit as answer when their line has no end', async () => {
    const socket = await open();
    const answer = rest(socket);
    socket.write('g held\ng ');
    const piece = Buffer.alloc(65_536, 'x');
    for (let index = 0; index < 20; index += 1) socket.write(piece);
    await takesTurnsMeanwhile();
    expect(await answer).to.equal('1 Lock Get Success: held\n0 Line Too Long\n');
    await leavesNothing();
  });

  it('are paused while they do not read, and get all answers when they do', async () => {
    const socket = await open();
    socket.pause();
    const commands = 200_000;
    socket.write('i a\n'.repeat(commands));
    await takesTurnsMeanwhile();
    socket.end();
    const answer = await rest(socket);
    expect(answer.length).to.equal('0 Lock Not Locked: a\n'.length * commands);
    await leavesNothing();
  });
});
