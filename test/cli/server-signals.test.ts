import { expect } from 'chai';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { type ServerProgram, startServerProgram } from '../server/running-program.ts';

/** Signals, with their numbers. */
const SIGNALS = [
  ['SIGTERM', 15],
  ['SIGINT', 2],
] as const;

describe('the server program, when it is told to stop', () => {
  const folder = folderForEachTest();
  let patient: string;

  beforeEach(() => {
    patient = folder.writeSettings({ drainSeconds: 3_600 });
  });

  for (const [signal, number] of SIGNALS) {
    it(`by ${signal}, lets holders release, refuses new locks, and ends with 0`, async () => {
      const { server, holder, waiter } = await startWithHolder('--config', patient);
      server.program.signal(signal);
      expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'draining' } });
      expect(await waiter.ask('lock', { lockName: 'free' })).to.deep.equal({ status: 'draining' });
      const refused = await RawClient.connect(server.port).catch((error: NodeJS.ErrnoException) => error);
      expect(refused).to.include({ code: 'ECONNREFUSED' });
      expect(await holder.ask('unlock', { lockName: 'jobs' })).to.deep.equal({ status: 'ok', count: 0 });
      await Promise.all([holder.closed, waiter.closed]);
      expect(await server.program.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
    });

    it(`by a second signal, ${signal}, ends at once with ${128 + number}`, async () => {
      const { server, waiter } = await startWithHolder('--config', patient);
      server.program.signal(signal === 'SIGTERM' ? 'SIGINT' : 'SIGTERM');
      await waiter.next();
      await repeat(server, signal);
      expect(await server.program.exit).to.deep.equal({ code: 128 + number, signal: null });
    });
  }

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

  it('ends at once when nobody is connected', async () => {
    const { program } = await startServerProgram('--config', patient);
    program.signal('SIGTERM');
    expect(await program.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
  });

  it('ends when the last holder disconnects', async () => {
    const { server, holder, waiter } = await startWithHolder('--config', patient);
    server.program.signal('SIGTERM');
    await waiter.next();
    holder.reset();
    expect((await server.program.exit).code).to.equal(EXIT_CODES.ok);
  });

  /** Signals again and again until the program has ended. */
  async function repeat({ program }: ServerProgram, signal: NodeJS.Signals): Promise<void> {
    const timer = setInterval(() => program.signal(signal), 50);
    await program.exit;
    clearInterval(timer);
  }

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
