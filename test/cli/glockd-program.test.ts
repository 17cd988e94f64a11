import { existsSync, statSync } from 'node:fs';
import { expect } from 'chai';
import { makeCertificates, tlsConnect } from '../foreign/certificates.ts';
import { LineClient } from '../foreign/line-client.ts';
import { needs } from '../foreign/system-program.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { expectStartFails, startListening, startProgram } from '../server/running-program.ts';
import { freePort } from '../support/free-port.ts';
import { handshakeStatus } from './handshake-status.ts';

const ONLY_LOCAL = /, for this machine only \(127\.0\.0\.1, ::1\): -allow 0\.0\.0\.0\/0,::\/0 opens it to all$/;

describe('the server program under the command line of glockd', () => {
  const folder = folderForEachTest();
  let pidfile: string;

  beforeEach(() => {
    pidfile = folder.at('glockd.pid');
  });

  it('takes the flags as the scripts of glockd write them', async () => {
    const [port, ws, path] = [await freePort(), await freePort(), folder.at('glockd.sock')];
    const args = ['-port', `${port}`, '-ws', `${ws}`, '-unix', path, '-pidfile', pidfile];
    const { addresses } = await startListening('bin/glockd.js', ...args, '-dump=false', '-registry=false');
    expect(addresses).to.deep.equal([`[::]:${port}`, `[::]:${ws}`, path]);
    const client = await LineClient.connect(port);
    expect(await client.ask('g foo')).to.equal('1 Lock Get Success: foo');
    expect(await (await LineClient.connect({ path })).ask('g foo')).to.equal('0 Lock Get Failure: foo');
  });

  it("lets clients in by WebSocket that tell the server's own address as their origin, by the names of -hosts", async () => {
    const args = ['-port', '0', '-ws', 'auto', '-pidfile', pidfile, '-hosts', 'locks.example, other.example'];
    const { ports } = await startListening('bin/glockd.js', ...args);
    const port = ports[0] as number;
    for (const name of ['127.0.0.1', 'localhost', 'locks.example', 'other.example']) {
      expect(await handshakeStatus(port, name), name).to.equal(101);
    }
    expect(await handshakeStatus(port, 'third.example')).to.equal(403);
  });

  it('sets the limits that glockd does not have as wide as possible, and has a flag for each', async () => {
    const args = ['-port', 'auto', '-ws', '0', '-pidfile', pidfile];
    const { ports, program } = await startListening('bin/glockd.js', ...args);
    const client = await LineClient.connect(ports[0] as number);
    const name = 'n'.repeat(900_000);
    expect(await client.ask(`g ${name}`)).to.equal(`1 Lock Get Success: ${name}`);
    expect(await client.ask(`iam ${'i'.repeat(50_000)}`)).to.equal('1 ok');
    for (let lock = 0; lock < 10_100; lock += 1) await client.ask(`g ${lock}`);
    expect(await client.ask('g one more')).to.equal('1 Lock Get Success: one more');
    program.signal('SIGTERM');
    await program.exit;
    const narrow = ['-max-locks-per-connection', '1', '-max-name-bytes=3', '-max-client-name-bytes', '2'];
    const { ports: others } = await startListening('bin/glockd.js', ...args, ...narrow);
    const other = await LineClient.connect(others[0] as number);
    expect(await other.ask('g four')).to.equal('0 Lock Get Failure: four');
    expect(await other.ask('iam you')).to.equal('0 name too long');
    expect(await other.ask('g a')).to.equal('1 Lock Get Success: a');
    expect(await other.ask('g b')).to.equal('0 Lock Get Failure: b');
  });

  it('limits the locks of all clients by -max-locks, and refuses a word as a limit', async () => {
    const client = await LineClient.connect(await start('-max-locks', '2'));
    expect(await client.ask('g a')).to.equal('1 Lock Get Success: a');
    expect(await client.ask('g b')).to.equal('1 Lock Get Success: b');
    expect(await client.ask('g c')).to.equal('0 Lock Get Failure: c');
    const wrong = startProgram('bin/glockd.js', ...lone(), '-max-locks-per-connection', 'many');
    expect(await wrong.exit).to.deep.equal({ code: 2, signal: null });
    expect(wrong.errorOutput).to.include('invalid value "many" for flag -max-locks-per-connection');
  });

  it('gives the Unix socket the mode of -unix-mode', async () => {
    const path = folder.at('glockd.sock');
    const args = ['-port', '0', '-ws', '0', '-unix', path, '-pidfile', pidfile];
    await startListening('bin/glockd.js', ...args, '-unix-mode', '0660');
    expect(statSync(path).mode & 0o777).to.equal(0o660);
  });

  it('accepts two dashes, and values after an equals sign', async () => {
    const args = ['--port=auto', '--ws', '0', `--pidfile=${pidfile}`, '--dump=false', '--verbose=true'];
    const { ports, program } = await startListening('bin/glockd.js', ...args);
    expect(ports).to.have.lengthOf(1);
    expect(await (await LineClient.connect(ports[0] as number)).ask('dump')).to.equal('0 disabled');
    expect(await program.nextErrorLine()).to.include('"connected"');
  });

  it('serves IPv4 and IPv6', async () => {
    const port = await start();
    const overIPv4 = await LineClient.connect({ host: '127.0.0.1', port });
    const overIPv6 = await LineClient.connect({ host: '::1', port });
    expect(await overIPv4.ask('me')).to.match(/^1 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+$/);
    expect(await overIPv6.ask('me')).to.match(/^1 \[::1\]:\d+ \[::1\]:\d+$/);
  });

  it('lets clients list locks and register names by default', async () => {
    const client = await LineClient.connect(await start());
    expect(await client.ask('dump')).to.equal('map[]');
    expect(await client.ask('iam me')).to.equal('1 ok');
  });

  for (const [dump, registry] of [
    ['false', '0'],
    ['f', 'F'],
    ['FALSE', 'False'],
  ] as const) {
    it(`reads ${dump} and ${registry} as false, as Go does`, async () => {
      const client = await LineClient.connect(await start(`-dump=${dump}`, `-registry=${registry}`));
      expect(await client.ask('dump')).to.equal('0 disabled');
      expect(await client.ask('d')).to.equal('0 disabled');
      expect(await client.ask('iam me')).to.equal('0 disabled');
      expect(await client.ask('me')).to.match(/^1 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+$/);
    });
  }

  it('ends the flags at a word after a boolean flag, as Go does', async () => {
    const client = await LineClient.connect(await start('-dump', 'false', '-nonsense'));
    expect(await client.ask('dump')).to.equal('map[]');
  });

  describe('says in its first line', () => {
    it('that only this machine may connect, and the flag that opens the server', async () => {
      const { startLine } = await startListening('bin/glockd.js', ...lone());
      expect(startLine)
        .to.match(/^holdfast \S+ listens as glockd on \[::\]:\d+, /)
        .and.match(ONLY_LOCAL);
    });

    it('the same when only addresses of this machine are allowed', async () => {
      const { startLine } = await startListening('bin/glockd.js', ...lone(), '-allow', '127.0.0.0/8');
      expect(startLine).to.match(/, for this machine only \(127\.0\.0\.0\/8\): -allow /);
    });

    it('who may connect once it was opened with that flag', async () => {
      const { startLine, ports } = await startListening('bin/glockd.js', ...lone(), '-allow', '0.0.0.0/0,::/0');
      expect(startLine).to.match(/:\d+, allowed: 0\.0\.0\.0\/0, ::\/0$/);
      const where = { host: '127.0.0.1', localAddress: '127.0.0.2', port: ports[0] as number };
      expect(await (await LineClient.connect(where)).ask('i foo')).to.equal('0 Lock Not Locked: foo');
    });
  });

  it('closes connections from addresses that are not allowed', async () => {
    const port = await start();
    await (await LineClient.connect({ host: '127.0.0.1', localAddress: '127.0.0.2', port })).closed;
  });

  describe('ends with the code of glockd', () => {
    it('2 when there is no pidfile', async () => {
      await ends(2, /^holdfast: please specify a pidfile: -pidfile path\n$/, '-port', 'auto', '-ws', '0');
    });

    it('2 when a flag is unknown, lacks its value or has a wrong one', async () => {
      await Promise.all([
        ends(2, /flag provided but not defined: -nonsense/, ...lone(), '-nonsense'),
        ends(2, /flag needs an argument: -port/, '-port'),
        ends(2, /invalid value "http" for flag -port/, '-port', 'http', '-pidfile', pidfile),
        ends(2, /invalid boolean value "maybe" for -dump/, ...lone(), '-dump=maybe'),
        ends(2, /"localhost" is no address/, ...lone(), '-allow', 'localhost'),
        ends(2, /-ssl needs -ssl-cert/, ...lone(), '-ssl'),
      ]);
      expect(existsSync(pidfile)).to.equal(false);
    });

    it('2 when it is asked for help', async () => {
      await Promise.all(['-h', '--help'].map((flag) => ends(2, /^Usage of glockd:\n {2}-port /, flag)));
    });

    it('2 when there is nothing to listen on', async () => {
      await ends(2, /nothing to listen on/, '-port', '0', '-ws', '0', '-pidfile', pidfile);
    });

    it('3 when the pidfile cannot be opened', async () => {
      await ends(3, /^holdfast: pidfile: ENOENT/, '-port', 'auto', '-pidfile', folder.at('missing/glockd.pid'));
      await ends(3, /^holdfast: pidfile: \S+: it is no regular file/, '-port', 'auto', '-pidfile', folder.path);
    });
  });

  describe('with -ssl', () => {
    before(function () {
      needs(this, 'openssl');
    });

    it('serves TLS only to clients with a certificate of the authority', async () => {
      const { authority, server, client } = makeCertificates();
      const files = ['-ssl-cert', server.certFile, '-ssl-key', server.keyFile, '-ssl-ca', authority.certFile];
      const port = await start('-ssl', ...files);
      const line = new LineClient(await tlsConnect(port, authority, client));
      expect(await line.ask('g foo')).to.equal('1 Lock Get Success: foo');
      const without = new LineClient(await tlsConnect(port, authority));
      await without.closed;
      const plain = await LineClient.connect(port);
      plain.send('g foo');
      await plain.closed;
      expect(await line.statistics()).to.include({ connections: 1, command_g: 1 });
    });
  });

  /** The flags for a server that listens on one port only. */
  function lone(): string[] {
    return ['-port', 'auto', '-ws', '0', '-pidfile', pidfile];
  }

  async function start(...args: readonly string[]): Promise<number> {
    const { ports } = await startListening('bin/glockd.js', ...lone(), ...args);
    return ports[0] as number;
  }

  async function ends(code: number, complaint: RegExp, ...args: readonly string[]): Promise<void> {
    await expectStartFails('bin/glockd.js', code, complaint, ...args);
  }
});
