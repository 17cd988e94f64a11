import { once } from 'node:events';
import { watch } from 'node:fs';
import { expect } from 'chai';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { limitReached } from '../server/answers.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { type ServerProgram, startProgram, startServerProgram } from '../server/running-program.ts';

describe('the server program, when it is told to stop', () => {
  const folder = folderForEachTest();
  let patient: string;

  beforeEach(() => {
    patient = folder.writeSettings({ drainSeconds: 3_600 });
  });

  it('lets holders release, refuses new locks, and ends with 0', async () => {
    const { server, holder, waiter } = await startWithHolder('--config', folder.writeSettings({}));
    server.program.signal('SIGUSR2');
    expect(await server.program.nextErrorLine()).to.include('SIGUSR2 changes nothing');
    folder.writeSettings({ drainSeconds: 3_600, limits: { maxNameBytes: 4 } });
    server.program.signal('SIGHUP');
    for (let line = ''; !line.includes('read the settings again: 2 changed'); )
      line = await server.program.nextErrorLine();
    expect(await holder.ask('lock', { lockName: 'longer' })).to.deep.equal(limitReached('maxNameBytes', 4));
    server.program.signal('SIGTERM');
    expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'draining' } });
    expect(await waiter.ask('lock', { lockName: 'free' })).to.deep.equal({ status: 'draining' });
    const refused = await RawClient.connect(server.port).catch((error: NodeJS.ErrnoException) => error);
    expect(refused).to.include({ code: 'ECONNREFUSED' });
    expect(await holder.ask('unlock', { lockName: 'jobs' })).to.deep.equal({ status: 'ok', count: 0 });
    await Promise.all([holder.closed, waiter.closed]);
    expect(await server.program.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
  });

  it('waits for nobody by default, and ends with 0', async () => {
    const { server, holder, waiter } = await startWithHolder();
    server.program.signal('SIGTERM');
    expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'draining' } });
    await Promise.all([holder.closed, waiter.closed]);
    expect(await server.program.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
  });

  it('treats signals within half a second as one', async () => {
    const { server, holder, waiter } = await startWithHolder('--config', patient);
    for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM', 'SIGINT'] as const) server.program.signal(signal);
    expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'draining' } });
    expect(await holder.ask('unlock', { lockName: 'jobs' })).to.deep.equal({ status: 'ok', count: 0 });
    expect(await server.program.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
  });

  it('does not end by a SIGHUP that comes before it listens', async () => {
    const made = once(watch(folder.path), 'change');
    const program = startProgram('bin/server.js', '--port', 'auto', '--pidfile', folder.at('pid'));
    await made;
    program.signal('SIGHUP');
    expect(await program.nextLine()).to.match(/^holdfast \S+ listens on /);
    while (!(await program.nextErrorLine()).includes('read the settings again')) {}
  });

  async function startWithHolder(
    ...args: readonly string[]
  ): Promise<{ readonly server: ServerProgram; readonly holder: RawClient; readonly waiter: RawClient }> {
    const server = await startServerProgram(...args);
    const holder = await RawClient.connect(server.port);
    const waiter = await RawClient.connect(server.port);
    await holder.take('jobs');
    await waiter.queue(1, 'jobs');
    return { server, holder, waiter };
  }
});
