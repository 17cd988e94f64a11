import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { DelayingProxy } from '../client/delaying-proxy.ts';
import { needs, SystemProgram } from '../foreign/system-program.ts';
import { RawClient, until } from '../server/raw-client.ts';
import { type StateRun, stateForEachTest } from './state-scene.ts';

/** A client that holds a lock, and one that waits for it. */
interface Scene {
  readonly holder: LockClient;
  readonly handle: LockHandle;
  readonly waiter: LockClient;
  readonly waiting: Promise<LockHandle>;
}

describe('a planned stop that fails', function () {
  this.timeout(30_000);
  const scene = stateForEachTest();
  let proxy: DelayingProxy;

  beforeEach(async () => {
    proxy = await DelayingProxy.start(scene.port);
  });

  const pidfile = (): string => join(scene.directory, 'pid');

  /** Starts a server that is killed at its first such system call on that file of the state directory. */
  async function startDoomed(call: string, file: string): Promise<SystemProgram> {
    const path = join(scene.directory, file);
    const traced = ['-f', '-o', '/dev/null', '-P', path, '-e', `inject=${call}:signal=KILL`];
    const server = ['bin/server.js', '--port', String(scene.port), '--state', scene.directory, '--pidfile', pidfile()];
    const tracer = new SystemProgram('strace', [...traced, process.execPath, ...server], { UV_USE_IO_URING: '0' });
    await Promise.race([tracer.nextLine(), tracer.exit]).catch(() => {});
    return tracer;
  }

  async function start(): Promise<StateRun> {
    const run = await scene.start();
    proxy.serverPort = scene.port;
    return run;
  }

  async function begin(): Promise<Scene> {
    const [holder, waiter] = [scene.connect(proxy.port), scene.connect(proxy.port)];
    const handle = await holder.lock('jobs');
    const waiting = waiter.lock('jobs', { waitMs: 600_000 });
    await waiter.rpc('ping');
    return { holder, handle, waiter, waiting };
  }

  /** Expects that both clients go on, and that tokens grow. */
  async function expectNothingLost({ holder, handle, waiter, waiting }: Scene): Promise<void> {
    await until(() => holder.state === 'connected' && waiter.state === 'connected');
    const witness = await RawClient.connect(scene.port);
    expect(await handle.confirm()).to.equal(true);
    expect(handle.signal.aborted).to.equal(false);
    expect((await holder.inspect('jobs')).holders.map(({ token }) => token)).to.deep.equal([handle.token]);
    expect(await witness.take('free')).to.be.above(handle.token);
    expect(await handle.release()).to.equal(true);
    expect((await waiting).token).to.be.above(handle.token);
  }

  for (const [call, file] of [
    ['write', 'stop.new'],
    ['rename', 'stop.new'],
  ] as const) {
    it(`costs nobody a lock when the server is killed at the ${call} of what it saves`, async function () {
      needs(this, 'strace');
      const tracer = await startDoomed(call, file);
      const before = await begin();
      process.kill(Number(readFileSync(pidfile(), 'utf8')), 'SIGTERM');
      expect(await tracer.exit).to.deep.equal({ code: null, signal: 'SIGKILL' });
      expect(readdirSync(scene.directory)).to.include('stop.new').and.not.include('stop');
      await start();
      await expectNothingLost(before);
    });
  }

  it('costs nobody a lock when the next server is killed before it has removed what was saved', async function () {
    needs(this, 'strace');
    const server = await start();
    const before = await begin();
    await server.stop();
    const tracer = await startDoomed('unlink,unlinkat', 'stop');
    expect(await tracer.exit).to.deep.equal({ code: null, signal: 'SIGKILL' });
    expect(readdirSync(scene.directory)).to.include('stop');
    await start();
    await expectNothingLost(before);
  });

  it('costs nobody a lock when nothing can be saved, and is told', async () => {
    const server = await start();
    const before = await begin();
    const inTheWay = join(scene.directory, 'stop.new');
    mkdirSync(inTheWay);
    await server.stop();
    expect(server.logger.shown.join('\n')).to.match(
      /the locks could not be saved: EISDIR.*; after the next start nothing new is granted/,
    );
    rmdirSync(inTheWay);
    await start();
    await expectNothingLost(before);
  });
});
