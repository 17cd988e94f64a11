import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { MessageClient } from '../../lib/message/message-client.ts';
import { dialUnix, unix } from '../../lib/transports/unix.ts';
import { SystemProgram } from '../foreign/system-program.ts';
import { connectUnix } from '../protocols/peers.ts';
import { folderForEachTest, whenTestEnds } from '../server/clean-up.ts';
import { makeServer } from '../server/running-server.ts';
import { errorOf } from '../support/rejection.ts';

/** Binds a Unix socket and dies without removing its file. */
const LEAVE_A_SOCKET = `
  require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'));`;

/** Listens on a Unix socket with room for few connections that it has not accepted, and tells when. */
const LISTEN_WITH_LITTLE_ROOM = `
  require('node:net').createServer().listen({ path: process.argv[1], backlog: 1 }, () => console.log('listens'));`;

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
  const folder = folderForEachTest();
  let path: string;

  beforeEach(() => {
    path = folder.at('lock.sock');
  });

  /** The code of the error with which a server cannot listen there. */
  async function refusalCode(): Promise<string | undefined> {
    return (await errorOf(makeServer().listen(unix({ path })))).code;
  }

  /** Listens in a worker thread; resolves to the address, or to the error message. */
  async function listenInWorker(mode: number, andThen: 'serve' | 'close' = 'serve'): Promise<string> {
    const worker = new Worker(LISTEN, {
      eval: true,
      workerData: { lib: new URL('../../lib/', import.meta.url).href, path, mode, andThen },
    });
    whenTestEnds(() => worker.terminate());
    const [told] = (await once(worker, 'message')) as [string];
    return told;
  }

  /** The file as soon as it exists. */
  async function firstStat(): Promise<fs.Stats> {
    for (;;) {
      const stat = fs.statSync(path, { throwIfNoEntry: false });
      if (stat !== undefined) return stat;
      await setImmediate();
    }
  }

  /** The mode of the file as soon as it exists. */
  async function firstMode(): Promise<number> {
    return (await firstStat()).mode & 0o777;
  }

  function leaveASocket(): void {
    try {
      execFileSync(process.execPath, ['-e', LEAVE_A_SOCKET, path], { stdio: 'pipe' });
    } catch {
      // It kills itself.
    }
    expect(fs.statSync(path).isSocket()).to.equal(true);
  }

  /** Connects until that fails; returns the code of the error. */
  async function fillBacklog(): Promise<string | undefined> {
    for (;;) {
      const socket = connect(path);
      whenTestEnds(() => socket.destroy());
      try {
        await once(socket, 'connect');
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
    }
  }

  async function isServed(connectionNumber: number): Promise<void> {
    const peer = await connectUnix(path, connectionNumber);
    expect(await peer.ask('me')).to.equal(`1 ${peer.address} ${peer.address}`);
  }

  it('is served, and numbers its connections', async () => {
    expect(await makeServer().listen(unix({ path }))).to.equal(path);
    for (const number of [1, 2, 3]) await isServed(number);
  });

  it('serves the message client', async () => {
    await makeServer().listen(unix({ path }));
    const client = new MessageClient();
    whenTestEnds(() => client.close());
    await client.connect(dialUnix({ path }));
    expect(await client.rpc('whoami')).to.deep.equal({ status: 'ok', address: 'unix:1', name: '' });
  });

  it('is open to its own user only, unless the mode says otherwise', async () => {
    await makeServer().listen(unix({ path }));
    expect(fs.statSync(path).mode & 0o777).to.equal(0o600);
    for (const mode of [0o660, 0o666, 0o700, 0o777, 0o400]) {
      const other = folder.at(`mode ${mode}`);
      await makeServer().listen(unix({ path: other, mode }));
      expect(fs.statSync(other).mode & 0o777).to.equal(mode);
    }
  });

  describe('with an owner and a group', () => {
    before(function () {
      if (process.getuid?.() === 0) return;
      console.log('      skipped: only root can give files away');
      this.skip();
    });

    it('has them, by name or by number, before anybody can connect', async () => {
      const cases: readonly [options: object, uid: number, gid: number][] = [
        [{ owner: 'nobody', group: 'daemon' }, 65_534, 1],
        [{ owner: '65534', group: '1' }, 65_534, 1],
        [{ group: 'daemon' }, 0, 1],
        [{ owner: '65534' }, 65_534, 0],
      ];
      for (const [options, uid, gid] of cases) {
        const server = makeServer();
        const found = firstStat();
        await server.listen(unix({ path, mode: 0o660, ...options }));
        const { mode, ...owners } = await found;
        expect(owners, JSON.stringify(options)).to.include({ uid, gid });
        expect(mode & 0o777).to.equal(0o660);
        await isServed(1);
        await server.close();
        expect(fs.readdirSync(folder.path)).to.deep.equal([]);
      }
    });

    it('cannot be opened, and leaves nothing behind, when one is unknown or must not be given the file', async () => {
      const complaintOf = async (options: object) =>
        (await errorOf(makeServer().listen(unix({ path, ...options })))).message;
      expect(await complaintOf({ owner: 'nosuchuser', group: '1' })).to.match(
        /^the file cannot have the owner "nosuchuser" and the group "1": chown: invalid user: /,
      );
      fs.chmodSync(folder.path, 0o777);
      process.seteuid?.(65_534);
      try {
        expect(await complaintOf({ owner: '1' })).to.match(/^the file cannot have the owner "1": EPERM: /);
        expect(await complaintOf({ group: 'daemon' })).to.match(
          /^the file cannot have the group "daemon": chown: .*not permitted/,
        );
      } finally {
        process.seteuid?.(0);
      }
      expect(fs.readdirSync(folder.path)).to.deep.equal([]);
    });
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

  it('is removed when the server closes, and can be opened again', async () => {
    for (let time = 0; time < 2; time += 1) {
      const server = makeServer();
      await server.listen(unix({ path }));
      await isServed(1);
      await server.close();
      expect(fs.existsSync(path)).to.equal(false);
    }
  });

  it('is removed as soon as the server drains', async () => {
    const server = makeServer();
    await server.listen(unix({ path }));
    const holder = await connectUnix(path, 1);
    await holder.ask('g jobs');
    const closed = server.close({ drainMs: 60_000 });
    expect(fs.existsSync(path)).to.equal(false);
    expect(await holder.ask('r jobs')).to.equal('1 Lock Release Success: jobs');
    await closed;
  });

  it('replaces the file of a dead server', async () => {
    leaveASocket();
    await makeServer().listen(unix({ path }));
    await isServed(1);
    expect(fs.statSync(path).mode & 0o777).to.equal(0o600);
  });

  it('does not replace the file of a running server', async () => {
    await makeServer().listen(unix({ path }));
    expect(await refusalCode()).to.equal('EADDRINUSE');
    // The check whether a server answers was a connection, too.
    await isServed(2);
    expect(await refusalCode()).to.equal('EADDRINUSE');
    await isServed(4);
  });

  it('does not replace the file of a stopped server that has no room for another connection', async () => {
    const stopped = new SystemProgram(process.execPath, ['-e', LISTEN_WITH_LITTLE_ROOM, path]);
    expect(await stopped.nextLine()).to.equal('listens');
    stopped.signal('SIGSTOP');
    expect(await fillBacklog()).to.equal('EAGAIN');
    expect(await refusalCode()).to.equal('EADDRINUSE');
    expect(fs.statSync(path).isSocket()).to.equal(true);
  });

  it('does not touch a file, a folder or a link', async () => {
    fs.writeFileSync(path, 'precious');
    expect(await refusalCode()).to.equal('EADDRINUSE');
    expect(fs.readFileSync(path, 'utf8')).to.equal('precious');
    fs.renameSync(path, folder.at('target'));
    fs.symlinkSync(folder.at('target'), path);
    expect(await refusalCode()).to.equal('EADDRINUSE');
    expect(fs.readFileSync(path, 'utf8')).to.equal('precious');
    fs.rmSync(path);
    fs.mkdirSync(path);
    expect(await refusalCode()).to.equal('EADDRINUSE');
  });

  it('needs its folder', async () => {
    path = folder.at('nowhere/lock.sock');
    const error = await errorOf(makeServer().listen(unix({ path })));
    const text = `the folder ${folder.at('nowhere')} of the Unix socket ${path} does not exist`;
    expect(error).to.include({ code: 'ENOENT', message: text });
  });

  it('cannot have a path that is too long for the system', async () => {
    path = folder.at('x'.repeat(120));
    const text = `the path of a Unix socket has ${path.length} bytes, ${path}; expected at most `;
    for (const refused of [makeServer().listen(unix({ path })), new MessageClient().connect(dialUnix({ path }))]) {
      expect((await errorOf(refused)).message).to.include(text);
    }
  });

  it('is served in a worker thread, although that cannot set the umask', async () => {
    expect(await listenInWorker(0o600)).to.equal(path);
    expect(fs.statSync(path).mode & 0o777).to.equal(0o600);
  });

  it('is open to its own user only from the start, whatever the umask', async () => {
    const umask = process.umask(0);
    whenTestEnds(() => process.umask(umask));
    const listening = listenInWorker(0o600);
    expect(await firstMode()).to.equal(0o600);
    expect(await listening).to.equal(path);
    expect(fs.readdirSync(folder.path)).to.deep.equal(['lock.sock']);
    await isServed(1);
  });

  it('is removed when a server in a worker thread closes', async () => {
    expect(await listenInWorker(0o600, 'close')).to.equal(path);
    expect(fs.readdirSync(folder.path)).to.deep.equal([]);
  });

  it('does not replace an existing file in a worker thread', async () => {
    fs.writeFileSync(path, 'precious');
    expect(await listenInWorker(0o600)).to.equal(`listen EADDRINUSE: address already in use ${path}`);
    expect(fs.readFileSync(path, 'utf8')).to.equal('precious');
    expect(fs.readdirSync(folder.path)).to.deep.equal(['lock.sock']);
  });

  it('is served by only one of several servers that find the file of a dead server', async () => {
    leaveASocket();
    const servers = [makeServer(), makeServer(), makeServer()];
    const started = await Promise.allSettled(servers.map((server) => server.listen(unix({ path }))));
    const refusals = started.filter((each) => each.status === 'rejected').map(({ reason }) => reason.code);
    expect(refusals).to.deep.equal(['EADDRINUSE', 'EADDRINUSE']);
    await isServed(1);
  });
});
