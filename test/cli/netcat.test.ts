import { spawn, spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { startServerProgram } from '../server/running-program.ts';

describe('netcat', () => {
  afterEach(endTest);

  it('shows the reply to a lock request', async function () {
    if (spawnSync('sh', ['-c', 'command -v nc']).status !== 0) {
      if (process.env.CI !== undefined && process.env.CI !== '') throw new Error('nc is not installed');
      console.log('      skipped: nc is not installed');
      this.skip();
    }
    const { port } = await startServerProgram();
    const request = '{"command":"lock","parameters":{"lockName":"a"},"id":1}';
    // In a process group of its own, so that nc ends with its shell.
    const shell = spawn('sh', ['-c', `printf '${request}\\n' | nc 127.0.0.1 ${port}`], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise((resolve) => shell.once('close', resolve));
    whenTestEnds(async () => {
      if (shell.exitCode === null) process.kill(-(shell.pid as number), 'SIGKILL');
      await ended;
    });
    const reply = await new Promise<string>((resolve, reject) => {
      let output = '';
      shell.stdout.on('data', (bytes) => {
        output += bytes;
        if (output.includes('\n')) resolve(output);
      });
      shell.once('close', () => reject(new Error(`nc ended without a reply: ${output}`)));
    });
    expect(reply).to.match(/^\{"id":1,"result":\{"status":"ok","token":\d+,"count":1\}\}\n$/);
  });
});
