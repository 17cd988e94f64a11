import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { endTest } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { type ServerProgram, startProgram, startServerProgram } from '../server/running-program.ts';
import { refusalsOf } from '../support/refusals.ts';

const VERSION = (
  JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

describe('the server program', () => {
  afterEach(endTest);

  it('prints one line when it listens, and serves locks', async () => {
    const { program, port, startLine } = await startServerProgram();
    expect(startLine).to.equal(`holdfast ${VERSION} listens on 127.0.0.1:${port}, allowed: 127.0.0.1, ::1`);
    const client = await RawClient.connect(port);
    expect(await client.ask('lock', { lockName: 'jobs' })).to.include({ status: 'ok', count: 1 });
    expect(program.output).to.equal(`${startLine}\n`);
    expect(program.errorOutput).to.equal('');
  });

  it('listens where --host and --port say', async () => {
    const { port, startLine } = await startServerProgram('--host', '127.0.0.3', '--allow', '127.0.0.0/8');
    expect(startLine).to.match(/ listens on 127\.0\.0\.3:\d+, allowed: 127\.0\.0\.0\/8$/);
    const refused = await RawClient.connect(port).catch((error: NodeJS.ErrnoException) => error);
    expect(refused).to.include({ code: 'ECONNREFUSED' });
  });

  it('ends with its own code when the port is busy', async () => {
    const { port } = await startServerProgram();
    const second = startProgram('bin/server.js', '--port', `${port}`);
    expect(await second.exit).to.deep.equal({ code: EXIT_CODES.cannotListen, signal: null });
    expect(EXIT_CODES.cannotListen).to.equal(3);
    expect(second.output).to.equal('');
    expect(second.errorOutput).to.match(/^holdfast: cannot listen on 127\.0\.0\.1, port \d+: .*EADDRINUSE.*\n$/);
    expect(await (await RawClient.connect(port)).ask('ping')).to.deep.equal({ status: 'ok' });
  });

  it('ends with the same code when the host is no address of this machine', async () => {
    const program = startProgram('bin/server.js', '--host', '192.0.2.1', '--port', 'auto');
    expect(await program.exit).to.deep.equal({ code: EXIT_CODES.cannotListen, signal: null });
    expect(program.errorOutput).to.match(/^holdfast: cannot listen on 192\.0\.2\.1, port auto: .*\n$/);
  });

  describe('with an allow-list', () => {
    let server: ServerProgram;

    it('refuses other addresses and logs once how to allow them', async () => {
      server = await startServerProgram();
      for (let attempt = 0; attempt < 3; attempt += 1) await isRefused('127.0.0.2');
      const line: unknown = JSON.parse(await server.program.nextErrorLine());
      expect(line).to.include({
        level: 40,
        msg: 'refused a connection from 127.0.0.2: its address is not allowed; to allow it, add "127.0.0.2" to "allowed" in the settings',
      });
      const client = await RawClient.connect(server.port);
      const stats = await client.ask('stats');
      expect(stats).to.include({ connections: 1 });
      expect(refusalsOf(stats)).to.deep.equal({ allowList: 3 });
      expect(server.program.errorOutput.split('\n')).to.have.lengthOf(2);
    });

    it('logs a few of many refusals, and their number at the end', async () => {
      server = await startServerProgram();
      for (let index = 0; index < 300; index += 1) {
        const localAddress = `127.0.${1 + (index >> 7)}.${1 + (index & 127)}`;
        const client = await RawClient.connect(server.port, { localAddress });
        await client.closed;
      }
      server.program.signal('SIGTERM');
      await server.program.exit;
      const lines = server.program.errorOutput
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      const told = lines.filter(({ reason }) => reason === 'allowList');
      expect(told).to.have.lengthOf(11);
      expect(told[10].msg).to.equal('290 more were refused within a minute (allowList), the last from 127.0.3.44');
    });

    it('allows the addresses of --allow instead of those of the settings', async () => {
      server = await startServerProgram('--allow', '127.0.0.2', '127.0.0.4', '::1', '10.0.0.0/8');
      expect(server.startLine).to.match(/, allowed: 127\.0\.0\.2, 127\.0\.0\.4, ::1, 10\.0\.0\.0\/8$/);
      for (const address of ['127.0.0.2', '127.0.0.4']) await isAdmitted(address);
      for (const address of ['127.0.0.1', '127.0.0.3']) await isRefused(address);
    });

    async function isAdmitted(address: string): Promise<void> {
      const client = await RawClient.connect(server.port, { localAddress: address });
      expect(await client.ask('ping'), address).to.deep.equal({ status: 'ok' });
    }

    async function isRefused(address: string): Promise<void> {
      const client = await RawClient.connect(server.port, { localAddress: address });
      await client.closed;
      expect(client.unreadCount).to.equal(0);
      expect(await client.ask('ping').catch((error: Error) => error.message), address).to.equal(
        'the connection is closed',
      );
    }
  });

  describe('with --verbose', () => {
    it('logs connections', async () => {
      const { program, port } = await startServerProgram('--verbose');
      const client = await RawClient.connect(port);
      expect(JSON.parse(await program.nextErrorLine())).to.include({
        level: 20,
        msg: 'connected',
        peer: `127.0.0.1:${client.socket.localPort}`,
      });
      client.reset();
      expect(JSON.parse(await program.nextErrorLine())).to.include({ level: 20, msg: 'disconnected' });
    });

    it('logs them only with that option', async () => {
      const { program, port } = await startServerProgram();
      await (await RawClient.connect(port)).leave();
      const refused = await RawClient.connect(port, { localAddress: '127.0.0.2' });
      await refused.closed;
      expect(await program.nextErrorLine()).to.include('refused a connection');
      expect(program.errorOutput).to.not.include('connected"');
    });
  });

  it('logs a connection that speaks an unknown protocol', async () => {
    const { program, port } = await startServerProgram();
    const client = await RawClient.connect(port);
    client.write('GET / HTTP/1.0\r\n\r\n');
    await client.closed;
    expect(JSON.parse(await program.nextErrorLine())).to.include({
      level: 40,
      msg: 'refused a connection from 127.0.0.1: it sent an HTTP request, which this port does not serve',
    });
  });
});
