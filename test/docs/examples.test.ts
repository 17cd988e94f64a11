import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { MessageClient, type ServerEvent } from '../../lib/message/message-client.ts';
import { dialTcp } from '../../lib/transports/tcp.ts';
import { startMemcached, startRedis } from '../datastores/real-stores.ts';
import { needs, SystemProgram } from '../foreign/system-program.ts';
import { endTest, makeFolder } from '../server/clean-up.ts';
import { portOf, type RunningServer, startServer } from '../server/running-server.ts';

const run = promisify(execFile);

describe('the examples', () => {
  describe('with a lock server', () => {
    let port: string;

    beforeEach(async () => {
      port = String((await startServer()).port);
    });
    afterEach(endTest);

    it('call its commands by RPC', async () => {
      const { stdout } = await run(process.execPath, ['dist/examples/rpc.js', port]);
      expect(stdout.split('\n')).to.deep.equal([
        'lock: ok',
        'holders: 1, locks held on the server: 1',
        'the server answers',
        'unlock: ok',
        'connection closed',
        '',
      ]);
    });

    it('make spans of waits and holds, which link to the trace of the holder', async () => {
      const { stdout } = await run(process.execPath, ['dist/examples/tracing.js', port]);
      expect(stdout.trim().split('\n').sort()).to.deep.equal([
        'import: hold stock',
        'import: import',
        'import: wait for stock',
        'report: hold stock',
        'report: report',
        'report: wait for stock which links to the trace of import',
      ]);
    });

    it('do their work one at a time', async () => {
      const runs = await Promise.all([1, 2].map(() => run(process.execPath, ['dist/examples/run-once.js', port])));
      const tokens = runs.map(({ stdout }) => {
        const [, token] = /^working under token (\d+)\ntotal: 496\n$/.exec(stdout) ?? [];
        return token;
      });
      expect(new Set(tokens)).to.have.property('size', 2);
      expect(tokens).to.not.include(undefined);
    });
  });

  describe('with a lock server of their own', () => {
    let server: RunningServer;
    let folder: string;

    beforeEach(async () => {
      server = await startServer();
      folder = makeFolder();
    });
    afterEach(endTest);

    function start(program: string, ...args: string[]): Promise<string> {
      const command = [`dist/examples/${program}.js`, String(server.port), ...args];
      return run(process.execPath, command).then(({ stdout }) => stdout);
    }

    it('run a job of cron once on several hosts', async () => {
      const lastRun = join(folder, 'last-run');
      const runs = await Promise.all([1, 2].map(() => start('cron-job', '2026-11-21', lastRun)));
      expect(runs.sort()).to.deep.equal(['2026-11-21 is done\n', 'ran 2026-11-21\n']);
      expect(await start('cron-job', '2026-11-22', lastRun)).to.equal('ran 2026-11-22\n');
    });

    it('stop a long import when its lock is lost', async () => {
      const program = new SystemProgram(process.execPath, ['dist/examples/long-import.js', String(server.port)]);
      expect(await program.nextLine()).to.equal('importing');
      await server.server.close();
      expect(await program.nextLine()).to.equal('stopped: connectionLost');
    });

    it('have a database refuse a late writer', async () => {
      expect(await start('fencing-in-sql')).to.equal('fast writes: true\nslow writes: false\nbalance: 70\n');
    });
  });

  describe('with a lock in a datastore', () => {
    const LOCKED = (kind: string): string => `nightly-report is locked on ${kind}\ntotal: 496\n`;

    afterEach(endTest);

    it('work in memory', async () => {
      expect(await runOn('memory')).to.equal(LOCKED('memory'));
    });

    it('work on holdfast', async () => {
      const { port } = await startServer();
      expect(await runOn('holdfast', port)).to.equal(LOCKED('holdfast'));
    });

    it('work on Redis', async function () {
      needs(this, 'redis-server');
      const { port } = await startRedis();
      expect(await runOn('redis', port)).to.equal(LOCKED('redis'));
    });

    it('work on Memcached', async function () {
      needs(this, 'memcached');
      const { port } = await startMemcached();
      expect(await runOn('memcached', port)).to.equal(LOCKED('memcached'));
    });

    async function runOn(kind: string, port?: number): Promise<string> {
      const { stdout, stderr } = await run(process.execPath, ['dist/examples/dlock.js', kind, String(port)]);
      expect(stderr).to.equal('');
      return stdout;
    }
  });

  describe('of a message server', () => {
    afterEach(endTest);

    it('counts for several clients, tells those who watch, and says what is wrong with parameters', async () => {
      const counters = new SystemProgram(process.execPath, ['dist/examples/counter-server.js', '0']);
      const port = portOf(await counters.nextLine());
      const connect = async (): Promise<MessageClient> => {
        const client = new MessageClient();
        await client.connect(dialTcp({ host: '127.0.0.1', port }));
        return client;
      };
      await using watcher = await connect();
      await using counter = await connect();
      await watcher.rpc('watch', { counter: 'visits' });
      const told = once(watcher as unknown as NodeJS.EventEmitter, 'event') as Promise<[ServerEvent]>;
      expect(await counter.rpc('add', { counter: 'visits', by: 2 })).to.deep.equal({ status: 'ok', value: 2 });
      expect((await told)[0]).to.deep.equal({ event: 'changed', counter: 'visits', value: 2 });
      expect(await watcher.rpc('get', { counter: 'visits' })).to.deep.equal({ status: 'ok', value: 2 });
      const message = 'parameters.by is 1.5; expected a whole number';
      const wrong = await counter.rpc('add', { counter: 'visits', by: 1.5 });
      expect(wrong).to.include({ status: 'invalid', message });
    });
  });
});
