import cluster from 'node:cluster';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { freePort } from '../support/free-port.ts';
import { endTest, makeFolder, whenTestEnds } from './clean-up.ts';
import { startServer } from './running-server.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Starts a program as a worker of this process; resolves to its exit code and output. */
function runWorker(exec: string, ...args: readonly string[]): Promise<{ code: number | null; text: string }> {
  cluster.setupPrimary({ exec, args: [...args], silent: true });
  const worker = cluster.fork();
  whenTestEnds(() => worker.process.kill('SIGKILL'));
  let text = '';
  for (const output of [worker.process.stdout, worker.process.stderr]) {
    output?.on('data', (data) => {
      text += data;
    });
  }
  return new Promise((resolve) => worker.process.once('close', (code) => resolve({ code, text })));
}

describe('a worker of node:cluster, since workers share their ports', () => {
  afterEach(endTest);

  for (const program of ['bin/server.js', 'bin/glockd.js']) {
    it(`cannot run ${program}, and the program says why`, async () => {
      const pidfile = join(makeFolder(), 'server.pid');
      const { code, text } = await runWorker(ROOT + program, '--port', String(await freePort()), '--pidfile', pidfile);
      expect(code).to.not.equal(0);
      expect(text).to.match(/^holdfast: cannot listen on .*: this process is a worker of node:cluster.*fork mode/m);
    });
  }

  it('cannot call LockServer.listen', async () => {
    const { text } = await runWorker(fileURLToPath(new URL('cluster-worker-program.js', import.meta.url)));
    expect(text).to.include('this process is a worker of node:cluster');
  });

  it('does not keep its primary process from listening', async () => {
    expect((await startServer()).port).to.be.above(0);
  });
});
