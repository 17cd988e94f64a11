import { expect } from 'chai';
import { InvalidArgumentError } from 'commander';
import { addServer, parseSeconds, parseTargetPort } from '../../lib/cli/arguments.ts';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import type { LockClient } from '../../lib/client/lock-client.ts';
import type { SystemProgram } from '../foreign/system-program.ts';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { startProgram, startServerProgram } from '../server/running-program.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { freePort } from '../support/free-port.ts';

/** Seconds, longer than any test. */
const LONG = '3600';
const WHOLE_RUN = 'Waiting\nGot lock\nOffering to unlock\n';

describe('the test client program', () => {
  let server: RunningServer;
  let bystander: LockClient;

  beforeEach(async () => {
    server = await startServer();
    bystander = await server.client();
  });
  afterEach(endTest);

  it('takes the lock, holds it, releases it, and ends with 0', async () => {
    const client = start('--hold', '0.05', '--linger', '0');
    expect(await client.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
    expect([client.output, client.errorOutput]).to.deep.equal([WHOLE_RUN, '']);
    expect(await bystander.stats()).to.include({ grants: 1, releases: 1, orphans: 0 });
  });

  it('takes the lock of --name, and releases it before it lingers', async () => {
    const name = 'é 日本';
    const first = await bystander.lock(name);
    const client = start('--name', name, '--hold', '0', '--linger', LONG);
    expect(await client.nextLine()).to.equal('Waiting');
    await waiting(1, name);
    await first.release();
    expect(await client.nextLine()).to.equal('Got lock');
    expect(await client.nextLine()).to.equal('Offering to unlock');
    const handle = await bystander.lock(name);
    expect((await bystander.stats()).openConnections).to.equal(2);
    await handle.release();
  });

  it('says so and ends with 1 when it does not get the lock in time', async () => {
    await bystander.lock('test');
    for (const timeLimit of ['0.05', '0']) {
      const client = start('--time-limit', timeLimit);
      expect(await client.exit).to.deep.equal({ code: 1, signal: null });
      expect([client.output, client.errorOutput]).to.deep.equal(['Waiting\nDid not get lock\n', '']);
    }
  });

  it('says so and ends with 1 when a limit forbids the lock', async () => {
    const client = start('--name', 'x'.repeat(60_001));
    expect((await client.exit).code).to.equal(1);
    expect(client.output).to.equal('Waiting\nDid not get lock\n');
    expect(client.errorOutput).to.match(/was not granted: limit \(maxNameBytes, 60000\)\n$/);
  });

  it('says so and ends with 1 when there is no server', async () => {
    const port = await freePort();
    const client = startProgram('bin/testClient.js', '--port', `${port}`);
    expect(await client.exit).to.deep.equal({ code: 1, signal: null });
    expect(client.output).to.equal('');
    expect(client.errorOutput).to.match(
      new RegExp(`^Cannot connect to 127\\.0\\.0\\.1, port ${port}: .*ECONNREFUSED.*\\n$`),
    );
  });

  it('takes the lock of the one of several servers that leads', async () => {
    const servers = [await freePort(), server.port].flatMap((port) => ['--server', `127.0.0.1:${port}`]);
    const client = startProgram('bin/testClient.js', ...servers, '--hold', '0', '--linger', '0');
    expect((await client.exit).code).to.equal(0);
    expect([client.output, client.errorOutput]).to.deep.equal([WHOLE_RUN, '']);
    expect(await bystander.stats()).to.include({ grants: 1, releases: 1 });
  });

  it('says so and ends with 1 when the server dies while it holds the lock or waits for it', async () => {
    const { program, port } = await startServerProgram();
    const holder = startProgram('bin/testClient.js', '--port', `${port}`, '--hold', LONG, '--linger', '0');
    await holder.nextLine();
    expect(await holder.nextLine()).to.equal('Got lock');
    const waiter = startProgram('bin/testClient.js', '--port', `${port}`);
    expect(await waiter.nextLine()).to.equal('Waiting');
    program.signal('SIGKILL');
    for (const { exit } of [holder, waiter]) expect(await exit).to.deep.equal({ code: 1, signal: null });
    expect([holder.output, holder.errorOutput]).to.deep.equal(['Waiting\nGot lock\nLost lock\n', '']);
    expect(waiter.output).to.equal('Waiting\nDid not get lock\n');
    expect(waiter.errorOutput).to.match(/^[^\n]*connection was lost[^\n]*\n$/);
  });

  it('ends with 2 when its command line is wrong', async () => {
    for (const text of ['x', '', '0', '65536', '1.5']) {
      expect(() => parseTargetPort(text), text).to.throw(InvalidArgumentError);
    }
    for (const text of ['x', '', '-1', '1e10']) expect(() => parseSeconds(text), text).to.throw(InvalidArgumentError);
    for (const text of ['', 'a', 'a:0', 'unix:']) {
      expect(() => addServer(text), text).to.throw(InvalidArgumentError);
    }
    const wrong = [
      ['--server', 'a:1'],
      ['--nonsense'],
      ['x'],
      ['--port', 'x'],
      ['--hold', '-1'],
      ['--time-limit', 'x'],
    ];
    await Promise.all(
      wrong.map(async (args) => {
        const client = start(...args);
        expect(await client.exit, args.join(' ')).to.deep.equal({ code: 2, signal: null });
        expect([client.output, client.errorOutput.slice(0, 7)]).to.deep.equal(['', 'error: ']);
      }),
    );
  });

  it('prints help and its version', async () => {
    const help = start('--help');
    expect((await help.exit).code).to.equal(0);
    for (const option of ['--host', '--port', '--server', '--name', '--time-limit', '--hold', '--linger']) {
      expect(help.output).to.include(`${option} <`);
    }
    const version = start('--version');
    expect((await version.exit).code).to.equal(0);
    expect(version.output).to.match(/^\d+\.\d+\.\d+\S*\n$/);
  });

  describe('started three times', () => {
    it('gets the lock in the order of the starts, one at a time, and each ends with 0', async () => {
      const first = await bystander.lock('test');
      const clients = await startInOrder(3, '--hold', '0.1', '--linger', '0');
      await waiting(3);
      await first.release();
      const order: number[] = [];
      const holders: number[] = [];
      await Promise.all(
        clients.map(async (client, index) => {
          expect(await client.nextLine()).to.equal('Got lock');
          order.push(index);
          holders.push((await bystander.inspect('test')).holderCount);
          expect(await client.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
          expect([client.output, client.errorOutput]).to.deep.equal([WHOLE_RUN, '']);
        }),
      );
      expect(order).to.deep.equal([0, 1, 2]);
      for (const count of holders) expect(count).to.be.at.most(1);
      expect(await bystander.stats()).to.include({ grants: 4, releases: 4, orphans: 0 });
    });

    it('hands on the lock at once each time its holder is killed, and skips one that is killed while it waits', async () => {
      const clients = await startInOrder(3, '--hold', LONG, '--linger', LONG);
      const skipped = clients.splice(1, 1)[0] as SystemProgram;
      await waiting(2);
      await skipped.kill();
      await waiting(1);
      expect(skipped.output).to.equal('Waiting\n');
      for (const [index, client] of clients.entries()) {
        expect(await client.nextLine()).to.equal('Got lock');
        const { holderCount, waiterCount } = await bystander.inspect('test');
        expect([holderCount, waiterCount]).to.deep.equal([1, 1 - index]);
        for (const later of clients.slice(index + 1)) expect(later.output).to.equal('Waiting\n');
        client.signal('SIGKILL');
      }
      await until(async () => (await bystander.stats()).orphans === 2);
      expect(await bystander.inspect('test')).to.include({ holderCount: 0, waiterCount: 0 });
    });
  });

  async function waiting(count: number, name = 'test'): Promise<void> {
    await until(async () => (await bystander.inspect(name)).waiterCount === count);
  }

  function start(...args: readonly string[]): SystemProgram {
    return startProgram('bin/testClient.js', '--port', `${server.port}`, ...args);
  }

  /** Starts each client when the one before has printed that it waits. */
  async function startInOrder(count: number, ...args: readonly string[]): Promise<SystemProgram[]> {
    const clients: SystemProgram[] = [];
    for (let index = 0; index < count; index += 1) {
      const client = start(...args);
      expect(await client.nextLine()).to.equal('Waiting');
      clients.push(client);
    }
    return clients;
  }
});
