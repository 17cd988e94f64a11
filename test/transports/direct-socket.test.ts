import { createHook } from 'node:async_hooks';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, Socket } from 'node:net';
import { expect } from 'chai';
import type { ByteStream } from '../../lib/message/byte-stream.ts';
import { acceptedStream } from '../../lib/transports/direct-socket.ts';

const isSwitchedOff = process.env.HOLDFAST_SOCKETS === 'streams';

/** More than the buffers of any system take. */
const MUCH = 32 * 1_048_576;

/** An accepted socket that is used directly, its other end, and its events. */
interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  readonly direct: ByteStream;
  /** The next event: a text, `end`, or `closed` with a code and the call that failed. */
  next(): Promise<string>;
}

async function openPair(server: Server): Promise<Pair> {
  const told: string[] = [];
  let wake = (): void => {};
  const tell = (what: string): void => {
    told.push(what);
    wake();
  };
  let direct: ByteStream | undefined;
  const accepted = new Promise<Socket>((resolve) => {
    server.once('connection', (socket: Socket) => {
      direct = acceptedStream(socket, 'far');
      direct.start({
        data: (bytes, end) => tell(Buffer.from(bytes.subarray(0, end)).toString()),
        ended: () => tell('end'),
        closed: (error?: NodeJS.ErrnoException) =>
          tell(error === undefined ? 'closed' : `closed ${error.code} ${error.syscall}`),
      });
      resolve(socket);
    });
  });
  const far = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const [near] = await Promise.all([accepted, once(far, 'connect')]);
  const next = async (): Promise<string> => {
    while (told.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return told.shift() as string;
  };
  return { near, far, direct: direct as unknown as ByteStream, next };
}

describe('a socket used directly', () => {
  let server: Server;

  before(async function () {
    // direct-fallback.test.ts and all tests of connections cover sockets as streams.
    if (isSwitchedOff) this.skip();
    server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    server?.close();
  });

  it('has nothing unsent once it has drained, however fast the other side reads', async () => {
    const { port } = server.address() as AddressInfo;
    const reading = `require('node:net').connect(${port}, '127.0.0.1').resume()`;
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const reader = spawn(process.execPath, ['-e', reading], { stdio: 'ignore' });
    const [socket] = await accepted;
    const direct = acceptedStream(socket, 'far');
    direct.start({ data: () => {}, ended: () => {}, closed: () => {} });
    const text = 'x'.repeat(MUCH / 8);
    for (let round = 0; round < 20; round += 1) {
      direct.write(text, 'latin1');
      await new Promise<void>((resolve) => direct.whenDrained(resolve));
      expect(direct.unsentBytes).to.equal(0);
    }
    reader.kill();
    direct.destroy();
  });

  it('is possible here, and tells of bytes and of the end, each time from one buffer', async () => {
    const [one, two] = [await openPair(server), await openPair(server)];
    // A stream gives its bytes to whoever listens for them.
    expect(one.near.listenerCount('data')).to.equal(0);
    one.far.write('from one');
    expect(await one.next()).to.equal('from one');
    two.far.write('from two');
    expect(await two.next()).to.equal('from two');
    one.far.end('last words');
    expect(await one.next()).to.equal('last words');
    expect(await one.next()).to.equal('end');
    one.near.write('an answer');
    const [answer] = (await once(one.far, 'data')) as [Buffer];
    expect(answer.toString()).to.equal('an answer');
    for (const { near, far } of [one, two]) for (const socket of [near, far]) socket.destroy();
  });

  it('tells of a socket that fails by the error of the system', async () => {
    const { near, far, next } = await openPair(server);
    far.resetAndDestroy();
    expect(await next()).to.equal('closed ECONNRESET read');
    near.destroy();
  });

  it('writes in either encoding, and in order with writes to the socket itself', async () => {
    const { near, far, direct } = await openPair(server);
    direct.write('\u00e9, ', 'latin1');
    near.write('by the socket, ');
    direct.write('\u{1f600}', 'utf8');
    near.end();
    const bytes = Buffer.concat((await far.toArray()) as Buffer[]);
    expect(bytes.toString('latin1')).to.equal(`\u00e9, by the socket, ${Buffer.from('\u{1f600}').toString('latin1')}`);
    far.destroy();
  });

  it('counts the bytes that the system has not taken, and keeps them in order until the end', async () => {
    const { near, far, direct } = await openPair(server);
    direct.write('a little', 'latin1');
    expect(direct.unsentBytes, 'of a little').to.equal(0);
    far.pause();
    direct.write('x'.repeat(MUCH), 'latin1');
    expect(direct.unsentBytes, 'of much').to.equal(MUCH);
    direct.write('\u00e9', 'utf8');
    expect(direct.unsentBytes, 'of much and a character').to.equal(MUCH + 1);
    let isDrained = false;
    near.write('', () => {
      isDrained = direct.unsentBytes === 0;
    });
    near.end('the end');
    const text = Buffer.concat((await far.toArray()) as Buffer[]).toString();
    expect(text === `a little${'x'.repeat(MUCH)}\u00e9the end`, 'whether all came in order').to.equal(true);
    expect(isDrained, 'the empty write came after all others').to.equal(true);
    far.destroy();
  });

  it('joins writes that have to wait into one', async () => {
    const { near, far, direct } = await openPair(server);
    far.pause();
    direct.write('x'.repeat(MUCH), 'latin1');
    let writes = 0;
    const count = createHook({
      init: (_id, type) => {
        if (type === 'WRITEWRAP') writes += 1;
      },
    }).enable();
    let behind = '';
    for (let index = 0; index < 1_000; index += 1) {
      direct.write(`${index},`, 'latin1');
      direct.write('\u20ac', 'utf8');
      behind += `${index},\u20ac`;
    }
    near.end();
    const text = Buffer.concat((await far.toArray()) as Buffer[]).toString();
    count.disable();
    expect(text.slice(0, MUCH) === 'x'.repeat(MUCH), 'whether the first came first').to.equal(true);
    expect(text.slice(MUCH)).to.equal(behind);
    expect(writes).to.be.at.most(2);
    expect(direct.unsentBytes).to.equal(0);
    far.destroy();
  });

  it('is closed with the error of a write that fails at once', async () => {
    const { near, far, direct, next } = await openPair(server);
    direct.pause();
    far.resetAndDestroy();
    await once(far, 'close');
    // The first write may meet the reset.
    while (!near.destroyed) {
      direct.write('to nobody', 'latin1');
      await new Promise(setImmediate);
    }
    expect(await next()).to.match(/^closed (EPIPE|ECONNRESET) write$/);
    direct.write('nothing', 'latin1');
    expect(direct.unsentBytes).to.equal(0);
  });

  it('is closed with the error of a write that fails later', async () => {
    const { far, direct, next } = await openPair(server);
    direct.pause();
    far.pause();
    direct.write('x'.repeat(MUCH), 'latin1');
    far.resetAndDestroy();
    expect(await next()).to.match(/^closed (EPIPE|ECONNRESET) write$/);
    expect(direct.unsentBytes).to.equal(0);
  });

  it('closes without an error when it is destroyed before the system has taken everything', async () => {
    const { near, far, direct, next } = await openPair(server);
    far.pause();
    direct.write('x'.repeat(MUCH), 'latin1');
    near.destroy();
    direct.write('nothing', 'latin1');
    expect(await next()).to.equal('closed');
    far.destroy();
  });

  it('is used as a stream where there is nothing of the system behind it', () => {
    const socket = new Socket();
    acceptedStream(socket, 'far').start({ data: () => {}, ended: () => {}, closed: () => {} });
    expect(socket.listenerCount('data')).to.equal(1);
    socket.destroy();
  });

  it('reports the ends of many sockets in later turns when they break in one', async () => {
    const count = 10;
    let turn = 0;
    let isOver = false;
    const nextTurn = (): void => {
      turn += 1;
      if (!isOver) setImmediate(nextTurn);
    };
    const turns: number[] = [];
    const codes = new Set<unknown>();
    let accepted = 0;
    let haveAll = (): void => {};
    const allAccepted = new Promise<void>((resolve) => {
      haveAll = resolve;
    });
    const allClosed = new Promise<void>((resolve) => {
      const closed = (error: NodeJS.ErrnoException | undefined): void => {
        // Longer than the budget of one turn.
        const endMs = performance.now() + 2;
        while (performance.now() < endMs);
        turns.push(turn);
        codes.add(error?.code);
        if (turns.length === count) resolve();
      };
      server.on('connection', (socket: Socket) => {
        acceptedStream(socket, 'far').start({ data: () => {}, ended: () => {}, closed });
        accepted += 1;
        if (accepted === count) haveAll();
      });
    });
    const { port } = server.address() as AddressInfo;
    const fars = Array.from({ length: count }, () => connect({ port, host: '127.0.0.1' }));
    await Promise.all([allAccepted, ...fars.map((far) => once(far, 'connect'))]);
    nextTurn();
    for (const far of fars) far.resetAndDestroy();
    await allClosed;
    isOver = true;
    server.removeAllListeners('connection');
    expect([...codes]).to.deep.equal(['ECONNRESET']);
    expect(new Set(turns).size, 'turns').to.equal(count);
  });
});
