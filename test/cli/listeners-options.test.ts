import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { planListeners } from '../../lib/cli/listeners.ts';
import { completeSettings, SettingsError } from '../../lib/cli/settings.ts';
import { makeCertificates, tlsConnect } from '../foreign/certificates.ts';
import { LineClient } from '../foreign/line-client.ts';
import { needs } from '../foreign/system-program.ts';
import { folderForEachTest, whenTestEnds } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { expectStartFails, type ListeningProgram, startListening } from '../server/running-program.ts';
import { handshakeStatus } from './handshake-status.ts';

describe('the options of the server program for its listeners', () => {
  const folder = folderForEachTest();
  let config: string;

  beforeEach(() => {
    config = folder.writeSettings({ port: 'auto' });
  });

  it('open a WebSocket and a Unix socket beside the port, with the same locks', async () => {
    const path = folder.at('lock.sock');
    const { addresses, ports } = await start('--ws', 'auto', '--unix', path);
    expect(addresses).to.deep.equal([`127.0.0.1:${ports[0]}`, `127.0.0.1:${ports[1]}`, path]);
    const line = await LineClient.connect(ports[0] as number);
    expect(await line.ask('g jobs')).to.equal('1 Lock Get Success: jobs');
    expect(await (await LineClient.connect({ path })).ask('g jobs')).to.equal('0 Lock Get Failure: jobs');
    expect(await overWebSocket(ports[1] as number, 'g jobs')).to.equal('0 Lock Get Failure: jobs\n');
    const tryLock = '{"command":"lock","parameters":{"lockName":"jobs","timeLimit":0},"id":1}';
    expect(await overWebSocket(ports[1] as number, tryLock)).to.equal('{"id":1,"result":{"status":"unavailable"}}');
  });

  it('switch off, by 0 or an empty value, listeners that the settings switch on', async () => {
    const path = folder.at('lock.sock');
    const pidfile = folder.at('server.pid');
    folder.writeSettings({ port: 'auto', pidfile, listeners: [{ transport: 'unix', path }, webSocketOn('auto')] });
    const off = await start('--ws', '0', '--unix', '', '--pidfile', '');
    expect(off.addresses).to.deep.equal([`127.0.0.1:${off.ports[0]}`]);
    expect([existsSync(path), existsSync(pidfile)]).to.deep.equal([false, false]);
    for (const nowhere of ['0', '']) {
      const { addresses, program } = await start('--port', nowhere, '--ws', '');
      expect(addresses, nowhere).to.deep.equal([path]);
      expect(existsSync(pidfile)).to.equal(true);
      await program.kill();
    }
  });

  it('leave handshakes the time that the settings give them', async () => {
    folder.writeSettings({ port: 'auto', handshakeTimeoutMs: 50, listeners: [webSocketOn('auto')] });
    const { ports } = await start();
    await (await RawClient.connect(ports[1] as number)).closed;
    const client = await RawClient.connect(ports[0] as number);
    expect(await client.ask('stats')).to.have.nested.property('refusals.handshakeTimeout', 1);
  });

  it('replace one listener of the settings and keep the others', async () => {
    const [first, second] = [folder.at('first.sock'), folder.at('second.sock')];
    folder.writeSettings({
      port: 0,
      listeners: [{ transport: 'unix', path: first, mode: '0666' }, webSocketOn('auto')],
    });
    const { addresses, ports } = await start('--unix', second);
    expect(addresses).to.have.members([`127.0.0.1:${ports[0]}`, second]);
    expect(modeOf(second)).to.equal(0o666);
    expect(existsSync(first)).to.equal(false);
  });

  it("let the server's own pages call it by the names of --ws-host instead of the names in the settings", async () => {
    folder.writeSettings({ port: 'auto', hosts: ['old.example'], listeners: [webSocketOn('auto')] });
    const { ports } = await start('--ws-host', 'locks.example', 'Other.Example');
    for (const [name, status] of [
      ['locks.example', 101],
      ['other.example', 101],
      ['old.example', 403],
    ] as const) {
      expect(await handshakeStatus(ports[1] as number, name), name).to.equal(status);
    }
    const before = await start();
    expect(await handshakeStatus(before.ports[1] as number, 'old.example')).to.equal(101);
  });

  it('end the program when an origin or a host name is wrong, and name the place', async () => {
    const complaint = (field: string, value: string): RegExp =>
      new RegExp(
        `^holdfast: settings\\.${field}: "${value}" is no (origin|host name)[^\\n]*; expected one such as [^\\n]*\\n$`,
      );
    await ends(EXIT_CODES.usage, complaint('origins\\[1\\]', 'null'), '--origin', 'https://a.example', 'null');
    await ends(EXIT_CODES.usage, complaint('hosts\\[0\\]', 'a.example:9998'), '--ws-host', 'a.example:9998');
  });

  it('end the program when they leave nothing to listen on', async () => {
    await ends(EXIT_CODES.usage, /^holdfast: nothing to listen on: /, '--port', '0');
    await ends(EXIT_CODES.usage, /^holdfast: nothing to listen on: /, '--port', '', '--ws', '0', '--unix', '');
  });

  it('forbid clients to list locks or register names', async () => {
    const client = await startLine('--dump', 'false', '--registry', 'false');
    for (const command of ['d', 'sd', 'dump', 'who', 'iam me']) {
      expect(await client.ask(command), command).to.equal('0 disabled');
    }
    expect(await client.ask('g jobs')).to.equal('1 Lock Get Success: jobs');
  });

  it('allow both when they are true, whatever the settings say', async () => {
    folder.writeSettings({ port: 'auto', dump: false, registry: false });
    const client = await startLine('--dump', '--registry', 'true');
    expect(await client.ask('iam me')).to.equal('1 ok');
    expect(await client.ask('who')).to.match(/^127\.0\.0\.1:\d+: me$/);
  });

  it('let clients take away the locks of others only with --force-unlock', async () => {
    for (const [args, result] of [
      [[], { status: 'denied' }],
      [['--force-unlock'], { status: 'ok', released: 0 }],
    ] as const) {
      const client = await RawClient.connect((await start(...args)).ports[0] as number);
      expect(await client.ask('forceUnlock', { lockName: 'jobs' })).to.deep.equal(result);
    }
  });

  describe('--unix', () => {
    let path: string;

    beforeEach(() => {
      path = folder.at('lock.sock');
    });

    it('makes a socket for its own user only and removes it at the end', async () => {
      const { program } = await start('--unix', path);
      expect(modeOf(path)).to.equal(0o600);
      program.signal('SIGTERM');
      expect((await program.exit).code).to.equal(EXIT_CODES.ok);
      expect(existsSync(path)).to.equal(false);
    });

    it('refuses a path that is too long for a socket, and makes no file', async () => {
      const long = folder.at('x'.repeat(120));
      await ends(EXIT_CODES.cannotListen, /^holdfast: cannot listen on /, '--unix', long);
      expect(readdirSync(folder.path)).to.deep.equal(['settings.json']);
    });
  });

  describe('--tls-cert, --tls-key and --tls-ca', () => {
    before(function () {
      needs(this, 'openssl');
    });

    it('serve TLS on the port and on WebSocket, and nothing else there', async () => {
      const { authority, server } = makeCertificates();
      const { ports } = await start('--ws', 'auto', '--tls-cert', server.certFile, '--tls-key', server.keyFile);
      const [port = 0, ws = 0] = ports;
      const client = new LineClient(await tlsConnect(port, authority));
      expect(await client.ask('g jobs')).to.equal('1 Lock Get Success: jobs');
      const trust = readFileSync(authority.certFile);
      expect(await overWebSocket(ws, 'g jobs', trust)).to.equal('0 Lock Get Failure: jobs\n');
      const plain = await LineClient.connect(port);
      plain.send('r jobs');
      await plain.closed;
      expect(await client.ask('i jobs')).to.equal('1 Lock Is Locked: jobs');
    });

    it('let in only clients with a certificate of the authority', async () => {
      const { authority, server, client } = makeCertificates();
      const files = ['--tls-cert', server.certFile, '--tls-key', server.keyFile, '--tls-ca', authority.certFile];
      const port = (await start(...files)).ports[0] as number;
      const other = makeCertificates();
      for (const certificate of [undefined, other.client]) {
        await new LineClient(await tlsConnect(port, authority, certificate)).closed;
      }
      const known = new LineClient(await tlsConnect(port, authority, client));
      expect(await known.statistics()).to.include({ connections: 1 });
    });

    it('are read again on SIGHUP, and connections stay open', async () => {
      const { authority, server } = makeCertificates();
      const { program, ports } = await start('--tls-cert', server.certFile, '--tls-key', server.keyFile);
      const port = ports[0] as number;
      const before = await tlsConnect(port, authority);
      expect(before.getPeerCertificate().subject.CN).to.equal('server');
      const renewed = authority.issue('renewed');
      renameSync(renewed.certFile, server.certFile);
      renameSync(renewed.keyFile, server.keyFile);
      expect((await tlsConnect(port, authority)).getPeerCertificate().subject.CN).to.equal('server');
      program.signal('SIGHUP');
      expect(await program.nextErrorLine()).to.include('read the certificates again');
      expect((await tlsConnect(port, authority)).getPeerCertificate().subject.CN).to.equal('renewed');
      expect(await new LineClient(before).ask('i jobs')).to.equal('0 Lock Not Locked: jobs');
    });

    it('stay the same when they cannot be read again', async () => {
      const { authority, server } = makeCertificates();
      const { program, ports } = await start('--tls-cert', server.certFile, '--tls-key', server.keyFile);
      writeFileSync(server.certFile, 'no certificate');
      program.signal('SIGHUP');
      const line = JSON.parse(await program.nextErrorLine());
      expect(line.msg).to.equal('the certificates could not be read again; the old ones stay');
      expect(line.why).to.include(`tls.cert is ${server.certFile}; expected a certificate in PEM`);
      const client = new LineClient(await tlsConnect(ports[0] as number, authority));
      expect(await client.ask('i jobs')).to.equal('0 Lock Not Locked: jobs');
    });

    it('end the program when a file is missing', async () => {
      const missing = folder.at('missing.pem');
      const complaint = /^holdfast: settings: tls\.cert is \S+missing\.pem; expected a file that can be read: ENOENT/;
      await ends(EXIT_CODES.usage, complaint, '--tls-cert', missing, '--tls-key', missing);
    });

    it('are refused when a certificate or key is missing or wrong, or they do not belong together', () => {
      const [{ server }, other] = [makeCertificates(), makeCertificates()];
      const nonsense = folder.at('nonsense.pem');
      writeFileSync(nonsense, 'nonsense');
      const [cert, key] = [server.certFile, server.keyFile];
      for (const [complaint, tls] of [
        [/^settings\.tls: a certificate needs its key, and a key its certificate/, { cert }],
        [/^settings: tls\.cert is \S+nonsense\.pem; expected a certificate in PEM/, { cert: nonsense, key }],
        [/^settings: tls\.key is \S+nonsense\.pem; expected a private key in PEM/, { cert, key: nonsense }],
        [
          /^settings: tls\.key is \S+; expected the key of the cert\S+ in tls\.cert, /,
          { cert, key: other.server.keyFile },
        ],
        [/^settings: tls\.ca is \S+nonsense\.pem; expected certificates in PEM/, { cert, key, ca: nonsense }],
      ] as const) {
        const plan = () => planListeners(completeSettings({ port: 'auto', tls }, 'the settings'));
        expect(plan).to.throw(SettingsError, complaint);
      }
    });
  });

  it('give SIGHUP no effect on a server without certificates', async () => {
    const { program, ports } = await start();
    const client = await LineClient.connect(ports[0] as number);
    await client.ask('g jobs');
    program.signal('SIGHUP');
    expect(await client.ask('g jobs')).to.equal('1 Lock Get Success: jobs');
    expect(await (await LineClient.connect(ports[0] as number)).ask('i jobs')).to.equal('1 Lock Is Locked: jobs');
    expect(program.errorOutput).to.not.include('certificates');
  });

  describe('with user and group', () => {
    before(function () {
      if (process.getuid?.() === 0) return;
      console.log('      skipped: only root can become another user');
      this.skip();
    });

    for (const [user, group] of [
      ['nobody', 'nogroup'],
      ['65534', '65534'],
    ]) {
      it(`become ${user} of ${group} once all listeners are open`, async () => {
        folder.writeSettings({
          port: 'auto',
          user,
          group,
          listeners: [{ transport: 'unix', path: folder.at('lock.sock') }],
        });
        const { program, ports } = await start();
        const status = readFileSync(`/proc/${program.pid}/status`, 'utf8');
        expect(status).to.match(/^Uid:\t65534\t65534\t65534\t65534$/m);
        expect(status).to.match(/^Gid:\t65534\t65534\t65534\t65534$/m);
        expect(status).to.match(/^Groups:\t65534 $/m);
        const client = await LineClient.connect(ports[0] as number);
        expect(await client.ask('g jobs')).to.equal('1 Lock Get Success: jobs');
        expect(statSync(folder.at('lock.sock'))).to.include({ uid: 65_534, gid: 65_534 });
      });
    }

    it('end the program when there is no such user, and leave nothing behind', async () => {
      const [path, pidfile] = [folder.at('lock.sock'), folder.at('server.pid')];
      chmodSync(folder.path, 0o755);
      const listeners = [{ transport: 'unix', path }];
      folder.writeSettings({ port: 'auto', user: 'nosuchuser', group: 'nogroup', pidfile, listeners });
      await ends(EXIT_CODES.usage, /^holdfast: .*nosuchuser\n$/);
      expect([existsSync(path), existsSync(pidfile)]).to.deep.equal([false, false]);
    });
  });

  function start(...args: readonly string[]): Promise<ListeningProgram> {
    return startListening('bin/server.js', '--config', config, ...args);
  }

  /** Starts a server and connects to its first port. */
  async function startLine(...args: readonly string[]): Promise<LineClient> {
    return await LineClient.connect((await start(...args)).ports[0] as number);
  }

  async function ends(code: number, complaint: RegExp, ...args: readonly string[]): Promise<void> {
    await expectStartFails('bin/server.js', code, complaint, '--config', config, ...args);
  }
});

function webSocketOn(port: number | 'auto'): object {
  return { transport: 'websocket', port };
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

/** Sends a frame and returns the first that comes back. */
function overWebSocket(port: number, frame: string, ca?: Buffer): Promise<string> {
  const socket = new WebSocket(`${ca === undefined ? 'ws' : 'wss'}://127.0.0.1:${port}`, ca && { ca });
  whenTestEnds(() => socket.terminate());
  return new Promise((resolve, reject) => {
    socket.on('open', () => socket.send(frame));
    socket.on('message', (data) => resolve(String(data)));
    socket.on('error', reject);
  });
}
