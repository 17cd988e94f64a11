import { existsSync, statSync } from 'node:fs';
import { expect } from 'chai';
import { glockdStartLine, readGlockdFlags } from '../../lib/cli/glockd.ts';
import { type Settings, SettingsError } from '../../lib/cli/settings.ts';
import { makeCertificates, tlsConnect } from '../foreign/certificates.ts';
import { LineClient } from '../foreign/line-client.ts';
import { needs } from '../foreign/system-program.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { expectStartFails, startListening } from '../server/running-program.ts';
import { freePort } from '../support/free-port.ts';
import { handshakeStatus } from './handshake-status.ts';

const ONLY_LOCAL = /, for this machine only \(127\.0\.0\.1, ::1\): -allow 0\.0\.0\.0\/0,::\/0 opens it to all$/;

/** The settings that the flags and a pidfile come to. */
function read(...flags: readonly string[]): Settings {
  return readGlockdFlags(['-pidfile', 'p', ...flags]) as Settings;
}

describe('the server program under the command line of glockd', () => {
  const folder = folderForEachTest();
  let pidfile: string;

  beforeEach(() => {
    pidfile = folder.at('glockd.pid');
  });

  it('takes the flags as the scripts of glockd write them, and serves IPv4, IPv6, WebSocket and a Unix socket', async () => {
    const [port, ws, path] = [await freePort(), await freePort(), folder.at('glockd.sock')];
    const args = ['-port', `${port}`, '-ws', `${ws}`, '-unix', path, '-pidfile', pidfile, '-dump=false'];
    const ours = ['-hosts', 'locks.example, other.example', '-unix-mode', '0660', '-max-locks', '2', '--verbose=true'];
    const { addresses, startLine, program } = await startListening(
      'bin/glockd.js',
      ...args,
      '-registry=false',
      ...ours,
    );
    expect(addresses).to.deep.equal([`[::]:${port}`, `[::]:${ws}`, path]);
    expect(startLine).to.match(ONLY_LOCAL);
    const overIPv4 = await LineClient.connect({ host: '127.0.0.1', port });
    expect(await program.nextErrorLine()).to.include('"connected"');
    expect(await overIPv4.ask('me')).to.match(/^1 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+$/);
    for (const command of ['dump', 'd', 'iam me']) expect(await overIPv4.ask(command)).to.equal('0 disabled');
    expect(await overIPv4.ask('g foo')).to.equal('1 Lock Get Success: foo');
    const longName = 'n'.repeat(900_000);
    expect(await overIPv4.ask(`g ${longName}`)).to.equal(`1 Lock Get Success: ${longName}`);
    expect(await overIPv4.ask('g third')).to.equal('0 Lock Get Failure: third');
    const overIPv6 = await LineClient.connect({ host: '::1', port });
    expect(await overIPv6.ask('me')).to.match(/^1 \[::1\]:\d+ \[::1\]:\d+$/);
    expect(await (await LineClient.connect({ path })).ask('g foo')).to.equal('0 Lock Get Failure: foo');
    expect(statSync(path).mode & 0o777).to.equal(0o660);
    await (await LineClient.connect({ host: '127.0.0.1', localAddress: '127.0.0.2', port })).closed;
    for (const name of ['127.0.0.1', 'localhost', 'locks.example', 'other.example']) {
      expect(await handshakeStatus(ws, name), name).to.equal(101);
    }
    expect(await handshakeStatus(ws, 'third.example')).to.equal(403);
  });

  it('listens where glockd listens by default, lets this machine in, and lets clients list locks and register names', () => {
    const nowhere = { cert: '', key: '', ca: '' };
    expect(read()).to.deep.include({
      host: '::',
      port: 9_999,
      listeners: [{ enabled: true, transport: 'websocket', port: 9_998, tls: nowhere }],
      allowed: ['127.0.0.1', '::1'],
      origins: [],
      hosts: [],
      tls: nowhere,
      pidfile: 'p',
      dump: true,
      registry: true,
      verbose: false,
    });
    expect(read('-origin', 'https://a.example').origins).to.deep.equal(['https://a.example']);
  });

  it('sets the limits that glockd does not have as wide as possible, and has a flag for each', () => {
    expect(read().limits).to.include({
      maxLocks: 2_000_000,
      maxLocksPerSession: 2_000_000,
      maxBytesPerSession: 2 ** 31 - 1,
      maxNameBytes: 1_000_000,
      maxClientNameBytes: 60_000,
      maxConnections: 20_000,
      maxConnectionsPerAddress: 20_000,
    });
    const narrow = ['-max-locks-per-connection', '1', '-max-name-bytes=3', '-max-client-name-bytes', '2'];
    expect(read(...narrow, '-max-connections', '4', '-max-locks', '5').limits).to.include({
      maxLocks: 5,
      maxLocksPerSession: 1,
      maxNameBytes: 3,
      maxClientNameBytes: 2,
      maxConnections: 4,
      maxConnectionsPerAddress: 4,
    });
    expect(read('-max-locks', '5').limits.maxLocksPerSession).to.equal(5);
  });

  it('accepts two dashes, and values after an equals sign', () => {
    const settings = read('--port=auto', '--ws', '0', '--pidfile=other', '--dump=false', '--verbose=true');
    expect(settings).to.deep.include({ port: 'auto', listeners: [], pidfile: 'other', dump: false, verbose: true });
  });

  it('reads booleans as Go does', () => {
    for (const text of ['0', 'f', 'F', 'false', 'FALSE', 'False']) {
      expect(read(`-dump=${text}`, `-registry=${text}`), text).to.include({ dump: false, registry: false });
    }
    for (const text of ['1', 't', 'T', 'true', 'TRUE', 'True']) {
      expect(read(`-verbose=${text}`).verbose, text).to.equal(true);
    }
    expect(read('-verbose').verbose).to.equal(true);
  });

  it('ends the flags at a word after a boolean flag, as Go does', () => {
    expect(read('-dump', 'false', '-nonsense')).to.include({ dump: true });
  });

  it('says in its first line who may connect, and the flag that opens the server if only this machine may', () => {
    const lineFor = (...allow: readonly string[]): string => glockdStartLine(['[::]:1', 'path'], read(...allow));
    expect(lineFor())
      .to.match(/^holdfast \S+ listens as glockd on \[::\]:1, path, /)
      .and.match(ONLY_LOCAL);
    expect(lineFor('-allow', '127.0.0.0/8')).to.match(/, for this machine only \(127\.0\.0\.0\/8\): -allow /);
    expect(lineFor('-allow', '0.0.0.0/0,::/0')).to.match(/, path, allowed: 0\.0\.0\.0\/0, ::\/0$/);
    expect(lineFor('-allow', '')).to.include('(nobody)');
  });

  it('refuses a flag that is unknown, missing, without its value, or with a wrong one', () => {
    const refuses = (complaint: string, ...args: readonly string[]): void => {
      expect(() => readGlockdFlags(args), args.join(' ')).to.throw(SettingsError, complaint);
    };
    refuses('please specify a pidfile: -pidfile path', '-port', 'auto');
    refuses('flag provided but not defined: -nonsense', '-pidfile', 'p', '-nonsense');
    refuses('flag needs an argument: -port', '-port');
    refuses('invalid value "http" for flag -port', '-port', 'http', '-pidfile', 'p');
    refuses('invalid value "many" for flag -max-locks', '-pidfile', 'p', '-max-locks', 'many');
    refuses('invalid boolean value "maybe" for -dump', '-pidfile', 'p', '-dump=maybe');
    refuses('-ssl needs -ssl-cert', '-pidfile', 'p', '-ssl');
    refuses('-ssl needs -ssl-ca', '-pidfile', 'p', '-ssl', '-ssl-cert', 'c', '-ssl-key', 'k');
    expect(readGlockdFlags(['--help'])).to.equal('help');
  });

  describe('ends with the code of glockd', () => {
    it('2 when a flag is wrong, when it is asked for help, and when there is nothing to listen on', async () => {
      const local = ['-pidfile', pidfile, '-allow', 'localhost'];
      await Promise.all([
        expectStartFails('bin/glockd.js', 2, /^holdfast: flag provided but not defined: -nonsense\n$/, '-nonsense'),
        expectStartFails('bin/glockd.js', 2, /^Usage of glockd:\n {2}-port /, '-h'),
        expectStartFails('bin/glockd.js', 2, /"localhost" is no address/, ...local),
        expectStartFails('bin/glockd.js', 2, /nothing to listen on/, '-port', '0', '-ws', '0', '-pidfile', pidfile),
      ]);
      expect(existsSync(pidfile)).to.equal(false);
    });

    it('3 when the pidfile cannot be opened', async () => {
      const missing = folder.at('missing/glockd.pid');
      await expectStartFails('bin/glockd.js', 3, /^holdfast: pidfile: ENOENT/, '-port', 'auto', '-pidfile', missing);
    });
  });

  it('with -ssl serves TLS only to clients with a certificate of the authority, and -allow lets other machines in', async function () {
    needs(this, 'openssl');
    const { authority, server, client } = makeCertificates();
    const files = ['-ssl-cert', server.certFile, '-ssl-key', server.keyFile, '-ssl-ca', authority.certFile];
    const lone = ['-port', 'auto', '-ws', '0', '-pidfile', pidfile];
    const { startLine, ports } = await startListening(
      'bin/glockd.js',
      ...lone,
      '-ssl',
      ...files,
      '-allow',
      '::/0,0.0.0.0/0',
    );
    expect(startLine).to.match(/:\d+, allowed: ::\/0, 0\.0\.0\.0\/0$/);
    const port = ports[0] as number;
    const line = new LineClient(await tlsConnect(port, authority, client));
    expect(await line.ask('g foo')).to.equal('1 Lock Get Success: foo');
    const without = new LineClient(await tlsConnect(port, authority));
    await without.closed;
    const plain = await LineClient.connect({ host: '127.0.0.1', localAddress: '127.0.0.2', port });
    plain.send('g foo');
    await plain.closed;
    expect(await line.statistics()).to.include({ connections: 1, command_g: 1 });
  });
});
