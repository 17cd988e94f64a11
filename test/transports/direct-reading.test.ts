import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { type Reading, readDirectly } from '../../lib/transports/direct-reading.ts';

const isSwitchedOff = process.env.HOLDFAST_READING === 'streams';

/** A socket that was accepted and is read directly, its other end, and what was told of it. */
interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  readonly reading: Reading | undefined;
  /** The next thing that is told: a text, `end`, or `closed` with a code. */
  next(): Promise<string>;
}

async function openPair(server: Server): Promise<Pair> {
  const told: string[] = [];
  let wake = (): void => {};
  const tell = (what: string): void => {
    told.push(what);
    wake();
  };
  let reading: Reading | undefined;
  const accepted = new Promise<Socket>((resolve) => {
    server.once('connection', (socket: Socket) => {
      let code = '';
      socket.on('error', (error: NodeJS.ErrnoException) => {
        code = ` ${error.code} ${error.syscall}`;
      });
      socket.on('close', () => tell(`closed${code}`));
      reading = readDirectly(socket, {
        data: (bytes, end) => tell(Buffer.from(bytes.subarray(0, end)).toString()),
        ended: () => tell('end'),
        failed: (error: NodeJS.ErrnoException) => tell(`failed ${error.code} ${error.syscall}`),
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
  return { near, far, reading, next };
}

describe('reading directly', () => {
  let server: Server;

  before(async function () {
    // What becomes of sockets then is shown by reading-fallback.test.ts, and by all other tests of connections.
    if (isSwitchedOff) this.skip();
    server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    server?.close();
  });

  it('is possible here, and tells of bytes and of the end, each time from one buffer', async () => {
    const [one, two] = [await openPair(server), await openPair(server)];
    expect(one.reading).to.not.equal(undefined);
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

  it('tells nothing while it is paused, and everything afterwards', async () => {
    const { near, far, reading, next } = await openPair(server);
    reading?.pause();
    far.write('first');
    // What is written back was written after the first had arrived.
    near.write('?');
    await once(far, 'data');
    far.write(' second');
    near.write('?');
    await once(far, 'data');
    reading?.resume();
    let text = await next();
    while (text.length < 'first second'.length) text += await next();
    expect(text).to.equal('first second');
    for (const socket of [near, far]) socket.destroy();
  });

  it('tells of a socket that fails by the error of the system', async () => {
    const { near, far, next } = await openPair(server);
    far.resetAndDestroy();
    expect(await next()).to.equal('failed ECONNRESET read');
    near.destroy();
  });

  it('is refused where there is nothing of the system behind a socket', () => {
    const socket = { _handle: null } as unknown as Socket;
    expect(readDirectly(socket, { data: () => {}, ended: () => {}, failed: () => {} })).to.equal(undefined);
  });
});
