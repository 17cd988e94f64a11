import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { expectStartFails, startServerProgram } from '../server/running-program.ts';
import { startServer } from '../server/running-server.ts';
import { refusalsOf } from '../support/refusals.ts';

const VERSION = (
  JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

/** Another address of this machine. */
const HOST = '127.0.0.3';

describe('the server program', () => {
  const folder = folderForEachTest();

  it('serves on one address those that are allowed, and says so', async () => {
    const { program, port, startLine } = await startServerProgram();
    expect(startLine).to.equal(`holdfast ${VERSION} listens on 127.0.0.1:${port}, allowed: 127.0.0.1, ::1`);
    const client = await RawClient.connect(port);
    expect(await client.ask('lock', { lockName: 'jobs' })).to.include({ status: 'ok', count: 1 });
    expect(await client.ask('hello', { protocol: 1 })).to.include({ durable: false });
    expect(program.output).to.equal(`${startLine}\n`);
    expect(program.errorOutput).to.equal('');
    for (let attempt = 0; attempt < 3; attempt += 1) await isRefused(port, '127.0.0.2');
    expect(JSON.parse(await program.nextErrorLine())).to.include({
      level: 40,
      msg: 'refused a connection from 127.0.0.2: its address is not allowed; to allow it, add "127.0.0.2" to "allowed" in the settings',
    });
    const stats = await client.ask('stats');
    expect(stats).to.include({ connections: 1 });
    expect(refusalsOf(stats)).to.deep.equal({ allowList: 3 });
    expect(program.errorOutput.split('\n')).to.have.lengthOf(2);
    const page = await RawClient.connect(port);
    page.write('GET / HTTP/1.0\r\n\r\n');
    await page.closed;
    expect(JSON.parse(await program.nextErrorLine())).to.include({
      level: 40,
      msg: 'refused a connection from 127.0.0.1: it sent an HTTP request, which this port does not serve',
    });
    expect(program.errorOutput).to.not.include('connected"');
  });

  it('ends with its own code when the port is busy, and leaves no pidfile', async () => {
    const { port } = await startServer();
    const pidfile = folder.at('server.pid');
    const complaint = /^holdfast: cannot listen on 127\.0\.0\.1, port \d+: .*EADDRINUSE.*\n$/;
    const { cannotListen } = EXIT_CODES;
    await expectStartFails('bin/server.js', cannotListen, complaint, '--port', `${port}`, '--pidfile', pidfile);
    expect(cannotListen).to.equal(3);
    expect(existsSync(pidfile)).to.equal(false);
    expect(await (await RawClient.connect(port)).ask('ping')).to.deep.equal({ status: 'ok' });
  });

  it('ends with the same code when the host is no address of this machine', async () => {
    const complaint = /^holdfast: cannot listen on 192\.0\.2\.1, port auto: .*\n$/;
    const where = ['--host', '192.0.2.1', '--port', 'auto'];
    await expectStartFails('bin/server.js', EXIT_CODES.cannotListen, complaint, ...where);
  });

  it('listens where --host and --port say, allows the addresses of --allow, and logs connections with --verbose', async () => {
    const allowed = ['127.0.0.2', '127.0.0.4', '::1', '10.0.0.0/8'];
    const { program, port, startLine } = await startServerProgram('--host', HOST, '--verbose', '--allow', ...allowed);
    expect(startLine).to.match(
      / listens on 127\.0\.0\.3:\d+, allowed: 127\.0\.0\.2, 127\.0\.0\.4, ::1, 10\.0\.0\.0\/8$/,
    );
    const refused = await RawClient.connect(port).catch((error: NodeJS.ErrnoException) => error);
    expect(refused).to.include({ code: 'ECONNREFUSED' });
    for (const localAddress of ['127.0.0.2', '127.0.0.4']) {
      const client = await RawClient.connect(port, { host: HOST, localAddress });
      expect(await client.ask('ping'), localAddress).to.deep.equal({ status: 'ok' });
      const peer = `${localAddress}:${client.socket.localPort}`;
      expect(JSON.parse(await program.nextErrorLine())).to.include({ level: 20, msg: 'connected', peer });
      client.reset();
      expect(JSON.parse(await program.nextErrorLine())).to.include({ level: 20, msg: 'disconnected' });
    }
    for (const address of ['127.0.0.1', '127.0.0.3']) await isRefused(port, address, HOST);
  });

  it('logs a few of many refusals, and their number at its end, which comes at once when nobody is connected', async () => {
    const patient = folder.writeSettings({ drainSeconds: 3_600 });
    const { program, port } = await startServerProgram('--config', patient);
    for (let index = 1; index <= 15; index += 1) await isRefused(port, `127.0.1.${index}`);
    program.signal('SIGTERM');
    expect(await program.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
    const lines = program.errorOutput
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const told = lines.filter(({ reason }) => reason === 'allowList');
    expect(told).to.have.lengthOf(11);
    expect(told[10].msg).to.equal('5 more were refused within a minute (allowList), the last from 127.0.1.15');
  });

  async function isRefused(port: number, localAddress: string, host = '127.0.0.1'): Promise<void> {
    const client = await RawClient.connect(port, { host, localAddress });
    await client.closed;
    expect(client.unreadCount, localAddress).to.equal(0);
  }
});
