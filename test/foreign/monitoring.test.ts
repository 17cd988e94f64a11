import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { tcp } from '../../lib/transports/tcp.ts';
import { endTest } from '../server/clean-up.ts';
import { LOOPBACK, makeServer, portOf, startServer } from '../server/running-server.ts';
import { freePort } from '../support/free-port.ts';
import { LineClient } from './line-client.ts';
import { needs, SystemProgram } from './system-program.ts';

const FOLDER = fileURLToPath(new URL('../../../examples/monitoring/', import.meta.url));

const COUNTERS = ['g', 'r', 'i', 'sg', 'sr', 'si', 'q'].map((word) => `command_${word}`);
const RATES = [...COUNTERS, 'invalid_commands', 'orphans', 'shared_orphans'];

describe('the example for', () => {
  let port: number;
  let client: LineClient;

  before(function () {
    needs(this, 'nc', 'sed', 'tr', 'grep');
  });
  beforeEach(async () => {
    ({ port } = await startServer());
    client = await LineClient.connect(port);
    for (const command of ['g a', 'g b', 'sg c', 'i a']) await client.ask(command);
  });
  afterEach(endTest);

  describe('nagios', () => {
    it('says OK when the server answers', async () => {
      const [code, output] = await check();
      const data = 'locks=3;;;0 connections=2;;;0 orphans=0c;;;0';
      expect([code, output]).to.deep.equal([0, `HOLDFAST OK - 3 locks, 2 connections | ${data}\n`]);
    });

    it('says WARNING and CRITICAL at its numbers of locks', async () => {
      expect(await outcome('-w', '4', '-c', '5')).to.deep.equal([0, 'OK']);
      expect(await outcome('-w', '3', '-c', '5')).to.deep.equal([1, 'WARNING']);
      expect(await outcome('-w', '2', '-c', '3')).to.deep.equal([2, 'CRITICAL']);
    });

    it('says CRITICAL when nobody answers', async () => {
      const nowhere = await freePort();
      const [code, output] = await run('check_holdfast', {}, '-H', '127.0.0.1', '-p', `${nowhere}`);
      const complaint = `HOLDFAST CRITICAL - no answer from 127.0.0.1, port ${nowhere}\n`;
      expect([code, output]).to.deep.equal([2, complaint]);
    });

    it('says CRITICAL when the server refuses the connection', async () => {
      const closed = portOf(await makeServer().listen(tcp({ ...LOOPBACK, allowed: ['127.0.0.2'] })));
      const [code, output] = await run('check_holdfast', {}, '-p', `${closed}`);
      expect([code, output]).to.deep.equal([2, `HOLDFAST CRITICAL - no answer from 127.0.0.1, port ${closed}\n`]);
    });

    it('says UNKNOWN when its arguments are wrong', async () => {
      expect(await outcome('-x')).to.deep.equal([3, 'UNKNOWN']);
      expect(await outcome('-w', 'many')).to.deep.equal([3, 'UNKNOWN']);
    });

    function check(...args: readonly string[]): Promise<[number | null, string]> {
      return run('check_holdfast', {}, '-H', '127.0.0.1', '-p', `${port}`, ...args);
    }

    async function outcome(...args: readonly string[]): Promise<[number | null, string | undefined]> {
      const [code, output] = await check(...args);
      return [code, /^HOLDFAST ([A-Z]+) - .*\n$/.exec(output)?.[1]];
    }
  });

  describe('munin', () => {
    it('configures two graphs', async () => {
      const [code, output] = await run('munin-holdfast', {}, 'config');
      expect(code).to.equal(0);
      const lines = output.trimEnd().split('\n');
      expect(lines.filter((line) => line.startsWith('multigraph '))).to.deep.equal([
        'multigraph holdfast_locks',
        'multigraph holdfast_commands',
      ]);
      const labels = lines.map((line) => /^(\w+)\.label ./.exec(line)?.[1]).filter((name) => name !== undefined);
      expect(labels).to.deep.equal(['locks', 'shared_locks', 'connections', ...RATES]);
      for (const rate of RATES) expect(lines).to.include.members([`${rate}.type DERIVE`, `${rate}.min 0`]);
    });

    it('shows the values of each field that it configures', async () => {
      await (await LineClient.connect(port)).leave();
      client.send('nonsense');
      await client.ask('r b');
      const [code, output] = await run('munin-holdfast', { host: '127.0.0.1', port: `${port}` });
      expect(code).to.equal(0);
      expect(output.trimEnd().split('\n')).to.deep.equal([
        'multigraph holdfast_locks',
        ...['locks.value 1', 'shared_locks.value 1', 'connections.value 2'],
        'multigraph holdfast_commands',
        ...['command_g.value 2', 'command_r.value 1', 'command_i.value 1', 'command_sg.value 1'],
        ...['command_sr.value 0', 'command_si.value 0', 'command_q.value 1'],
        ...['invalid_commands.value 1', 'orphans.value 0', 'shared_orphans.value 0'],
      ]);
    });

    it('shows that it does not know when nobody answers', async () => {
      const nowhere = await freePort();
      const where = { host: '127.0.0.1', port: `${nowhere}` };
      const [code, output] = await run('munin-holdfast', where);
      expect([code, output]).to.deep.equal([0, output.replace(/\d+$/gm, 'U')]);
      expect(output).to.include('\nlocks.value U\n');
      expect(await run('munin-holdfast', where, 'autoconf')).to.deep.equal([
        0,
        `no (no answer from 127.0.0.1, port ${nowhere})\n`,
      ]);
    });

    it('finds a server that answers', async () => {
      const where = { host: '127.0.0.1', port: `${port}` };
      expect(await run('munin-holdfast', where, 'autoconf')).to.deep.equal([0, 'yes\n']);
    });
  });

  async function run(
    script: string,
    environment: NodeJS.ProcessEnv,
    ...args: readonly string[]
  ): Promise<[number | null, string]> {
    const program = new SystemProgram(FOLDER + script, args, environment);
    return [(await program.exit).code, program.output];
  }
});
