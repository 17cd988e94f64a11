import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { MessageClient } from '../../lib/message/message-client.ts';
import { dialUnix, unix } from '../../lib/transports/unix.ts';
import { rejection } from '../client/rejection.ts';
import { connectUnix } from '../protocols/peers.ts';
import { makeServer } from '../protocols/transports.ts';
import { endTest, makeFolder, whenTestEnds } from '../server/clean-up.ts';

/** Binds a Unix socket and dies without removing its file. */
const LEAVE_A_SOCKET = `
  require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'));`;

const LISTEN = `
  const { parentPort, workerData: { lib, path, mode, andThen } } = require('node:worker_threads');
  import(lib + 'index.js')
    .then(async ({ LockServer, unix }) => {
      const server = new LockServer();
      const told = await server.listen(unix({ path, mode }));
      if (andThen === 'close') await server.close();
      return told;
    })
    .then((told) => parentPort.postMessage(told), (error) => parentPort.postMessage(error.message));`;

describe('a Unix socket', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = makeFolder();
    path = join(folder, 'lock.sock');
  });
  afterEach(endTest);

  /** The code of the error with which a server cannot listen there. */
  async function refusalCode(): Promise<string | undefined> {
    try {
      await makeServer().listen(unix({ path }));
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
    return undefined;
  }

  /** What a worker thread is told that listens there: the address, or why not. */
  async function listenInWorker(mode: number, andThen: 'serve' | 'close' = 'serve'): Promise<string> {
    const worker = new Worker(LISTEN, {
      eval: true,
      workerData: { lib: new URL('../../lib/', import.meta.url).href, path, mode, andThen },
    });
    whenTestEnds(() => worker.terminate());
    const [told] = (await once(worker, 'message')) as [string];
    return told;
  }

  /** The mode that the file has when it is there. */
  async function firstMode(): Promise<number> {
    for (;;) {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat !== undefined) return stat.mode & 0o777;
      await setImmediate();
    }
  }

  function leaveASocket(): void {
    try {
      execFileSync(process.execPath, ['-e', LEAVE_A_SOCKET, path], { stdio: 'pipe' });
    } catch {
      // It kills itself.
    }
    expect(statSync(path).isSocket()).to.equal(true);
  }

  async function isServed(connectionNumber: number): Promise<void> {
    const peer = await connectUnix(path, connectionNumber);
    peer.send([Buffer.from('me')]);
    expect(await peer.receive(1)).to.equal(`1 ${peer.address} ${peer.address}`);
  }

  it('is served, and each connection has a number', async () => {
    expect(await makeServer().listen(unix({ path }))).to.equal(path);
    await isServed(1);
    await isServed(2);
    await isServed(3);
  });

  it('serves the message client', async () => {
    await makeServer().listen(unix({ path }));
    const client = new MessageClient();
    whenTestEnds(() => client.close());
    await client.connect(dialUnix({ path }));
    expect(await client.rpc('whoami')).to.deep.equal({ status: 'ok', address: 'unix:1', name: '' });
  });

  it('frees the locks of a connection that closes', async () => {
    await makeServer().listen(unix({ path }));
    const holder = await connectUnix(path, 1);
    holder.send([Buffer.from('g jobs')]);
    expect(await holder.receive(1)).to.equal('1 Lock Get Success: jobs');
    holder.finish(Buffer.alloc(0));
    await holder.closed;
    const other = await connectUnix(path, 2);
    other.send([Buffer.from('g jobs')]);
    expect(await other.receive(1)).to.equal('1 Lock Get Success: jobs');
  });

  it('is for the own user only, unless another mode is given', async () => {
    await makeServer().listen(unix({ path }));
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    for (const mode of [0o660, 0o666, 0o700, 0o777, 0o400]) {
      const other = join(folder, `mode ${mode}`);
      await makeServer().listen(unix({ path: other, mode }));
      expect(statSync(other).mode & 0o777).to.equal(mode);
    }
  });

  it('does not change the umask of the process', async () => {
    const before = process.umask();
    let isListening = false;
    const listening = makeServer()
      .listen(unix({ path, mode: 0o666 }))
      .finally(() => {
        isListening = true;
      });
    for (; !isListening; await setImmediate()) expect(process.umask()).to.equal(before);
    await listening;
    await refusalCode();
    expect(process.umask()).to.equal(before);
  });

  it('has its file removed when the server closes, and can be opened again', async () => {
    for (let time = 0; time < 2; time += 1) {
      const server = makeServer();
      await server.listen(unix({ path }));
      await isServed(1);
      await server.close();
      expect(existsSync(path)).to.equal(false);
    }
  });

  it('has its file removed as soon as the server drains', async () => {
    const server = makeServer();
    await server.listen(unix({ path }));
    const holder = await connectUnix(path, 1);
    holder.send([Buffer.from('g jobs')]);
    await holder.receive(1);
    const closed = server.close({ drainMs: 60_000 });
    expect(existsSync(path)).to.equal(false);
    holder.send([Buffer.from('r jobs')]);
    expect(await holder.receive(1)).to.equal('1 Lock Release Success: jobs');
    await closed;
  });

  it('replaces the file of a server that is gone', async () => {
    leaveASocket();
    await makeServer().listen(unix({ path }));
    await isServed(1);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
  });

  it('does not replace the file of a server that answers', async () => {
    await makeServer().listen(unix({ path }));
    expect(await refusalCode()).to.equal('EADDRINUSE');
    // Whoever looked whether it answers was a connection, too.
    await isServed(2);
    expect(await refusalCode()).to.equal('EADDRINUSE');
    await isServed(4);
  });

  it('does not touch a file that is no socket', async () => {
    writeFileSync(path, 'precious');
    expect(await refusalCode()).to.equal('EADDRINUSE');
    expect(readFileSync(path, 'utf8')).to.equal('precious');
    expect(statSync(path).isFile()).to.equal(true);
  });

  it('does not touch a folder or a link', async () => {
    mkdirSync(path);
    expect(await refusalCode()).to.equal('EADDRINUSE');
    rmSync(path, { recursive: true });
    const target = join(folder, 'target');
    writeFileSync(target, 'precious');
    symlinkSync(target, path);
    expect(await refusalCode()).to.equal('EADDRINUSE');
    expect(readFileSync(path, 'utf8')).to.equal('precious');
  });

  it('cannot be where there is no folder', async () => {
    path = join(folder, 'nowhere', 'lock.sock');
    const error = await rejection(makeServer().listen(unix({ path })));
    const text = `the folder ${join(folder, 'nowhere')} of the Unix socket ${path} does not exist`;
    expect(error).to.include({ code: 'ENOENT', message: text });
  });

  it('cannot have a path that the system would cut off', async () => {
    path = join(folder, 'x'.repeat(120));
    const text = `the path of a Unix socket has ${path.length} bytes, ${path}; expected at most `;
    for (const refused of [makeServer().listen(unix({ path })), new MessageClient().connect(dialUnix({ path }))]) {
      expect(((await rejection(refused)) as Error).message).to.include(text);
    }
  });

  it('is served in a worker thread, which cannot set the umask', async () => {
    expect(await listenInWorker(0o600)).to.equal(path);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
  });

  it('is for the own user only there, from its first moment on, whatever the umask', async () => {
    const umask = process.umask(0);
    whenTestEnds(() => process.umask(umask));
    const listening = listenInWorker(0o600);
    expect(await firstMode()).to.equal(0o600);
    expect(await listening).to.equal(path);
    expect(readdirSync(folder)).to.deep.equal(['lock.sock']);
    await isServed(1);
  });

  it('has its file removed when a server in a worker thread closes', async () => {
    expect(await listenInWorker(0o600, 'close')).to.equal(path);
    expect(readdirSync(folder)).to.deep.equal([]);
  });

  it('does not replace in a worker thread what was there', async () => {
    writeFileSync(path, 'precious');
    expect(await listenInWorker(0o600)).to.equal(`listen EADDRINUSE: address already in use ${path}`);
    expect(readFileSync(path, 'utf8')).to.equal('precious');
    expect(readdirSync(folder)).to.deep.equal(['lock.sock']);
  });

  it('is served by one of several servers only that find the file of one that is gone', async () => {
    leaveASocket();
    const servers = [makeServer(), makeServer(), makeServer()];
    const started = await Promise.allSettled(servers.map((server) => server.listen(unix({ path }))));
    const refusals = started.filter((each) => each.status === 'rejected').map(({ reason }) => reason.code);
    expect(refusals).to.deep.equal(['EADDRINUSE', 'EADDRINUSE']);
    await isServed(1);
  });
});
