import { chmodSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { planListeners } from '../../lib/cli/listeners.ts';
import { readServerArguments } from '../../lib/cli/server.ts';
import { completeSettings, type Settings, SettingsError } from '../../lib/cli/settings.ts';
import { DEFAULT_HANDSHAKE_TIMEOUT_MS } from '../../lib/transports/tls.ts';
import { makeCertificates, tlsConnect } from '../foreign/certificates.ts';
import { LineClient } from '../foreign/line-client.ts';
import { needs } from '../foreign/system-program.ts';
import { folderForEachTest, whenTestEnds } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { expectNobody, expectStartFails, type ListeningProgram, startListening } from '../server/running-program.ts';
import { handshakeStatus } from './handshake-status.ts';
import { openPlanned, type PlannedServer } from './planned-server.ts';

describe('the options of the server program for its listeners', () => {
  const folder = folderForEachTest();
  let config: string;

  beforeEach(() => {
    config = folder.writeSettings({ port: 'auto' });
  });

  it('open a WebSocket and a Unix socket beside the port, with the same locks, and say what clients may', async () => {
    const path = folder.at('lock.sock');
    const switches = ['--dump', 'false', '--registry', 'false', '--force-unlock'];
    const { addresses, ports, program } = await start('--ws', 'auto', '--unix', path, ...switches);
    const [port = 0, ws = 0] = ports;
    expect(addresses).to.deep.equal([`127.0.0.1:${port}`, `127.0.0.1:${ws}`, path]);
    expect(modeOf(path)).to.equal(0o600);
    const line = await LineClient.connect(port);
    for (const command of ['d', 'sd', 'dump', 'who', 'iam me']) {
      expect(await line.ask(command), command).to.equal('0 disabled');
    }
    expect(await line.ask('g jobs')).to.equal('1 Lock Get Success: jobs');
    program.signal('SIGHUP');
    expect(await (await LineClient.connect({ path })).ask('g jobs')).to.equal('0 Lock Get Failure: jobs');
    expect(await overWebSocket(ws, 'g jobs')).to.equal('0 Lock Get Failure: jobs\n');
    const tryLock = '{"command":"lock","parameters":{"lockName":"jobs","timeLimit":0},"id":1}';
    expect(await overWebSocket(ws, tryLock)).to.equal('{"id":1,"result":{"status":"unavailable"}}');
    const client = await RawClient.connect(port);
    expect(await client.ask('forceUnlock', { lockName: 'other' })).to.deep.equal({ status: 'ok', released: 0 });
    expect(await line.ask('i jobs')).to.equal('1 Lock Is Locked: jobs');
    program.signal('SIGTERM');
    expect((await program.exit).code).to.equal(EXIT_CODES.ok);
    expect(existsSync(path)).to.equal(false);
    expect(program.errorOutput).to.not.include('certificates');
  });

  it('switch off, by 0 or an empty value, listeners that the settings switch on', () => {
    const path = folder.at('lock.sock');
    const pidfile = folder.at('server.pid');
    folder.writeSettings({ port: 'auto', pidfile, listeners: [{ transport: 'unix', path }, webSocketOn('auto')] });
    const off = read('--ws', '0', '--unix', '', '--pidfile', '');
    expect(off.pidfile).to.equal('');
    expect(placesOf(off)).to.deep.equal(['127.0.0.1, port auto']);
    for (const nowhere of ['0', '']) {
      const settings = read('--port', nowhere, '--ws', '');
      expect(placesOf(settings), nowhere).to.deep.equal([path]);
      expect(settings.pidfile).to.equal(pidfile);
    }
  });

  it('leave handshakes the time that the settings give them', async function () {
    // Shorter than the time by default.
    this.timeout(DEFAULT_HANDSHAKE_TIMEOUT_MS / 2);
    folder.writeSettings({ port: 'auto', handshakeTimeoutMs: 50, listeners: [webSocketOn('auto')] });
    const { ports } = await open();
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
    const { addresses, ports } = await open('--unix', second);
    expect(addresses).to.have.members([`127.0.0.1:${ports[0]}`, second]);
    expect(modeOf(second)).to.equal(0o666);
    expect(existsSync(first)).to.equal(false);
  });

  it("let the server's own pages call it by the names of --ws-host instead of the names in the settings", async () => {
    folder.writeSettings({ port: 'auto', hosts: ['old.example'], listeners: [webSocketOn('auto')] });
    const { ports } = await open('--ws-host', 'locks.example', 'Other.Example');
    for (const [name, status] of [
      ['locks.example', 101],
      ['other.example', 101],
      ['old.example', 403],
    ] as const) {
      expect(await handshakeStatus(ports[1] as number, name), name).to.equal(status);
    }
    const before = await open();
    expect(await handshakeStatus(before.ports[1] as number, 'old.example')).to.equal(101);
  });

  it('are refused when an origin, a host name or an address is wrong, with its place', () => {
    refuses(
      /^settings\.origins\[1\]: "null" is no origin.*; expected one such as /,
      '--origin',
      'https://a.example',
      'null',
    );
    refuses(
      /^settings\.hosts\[0\]: "a.example:9998" is no host name.*; expected one such as /,
      '--ws-host',
      'a.example:9998',
    );
    refuses(/^settings\.allowed\[1\]: "10\.0\.0\.0\/33" is no address/, '--allow', '127.0.0.1', '10.0.0.0/33');
  });

  it('are refused when they leave nothing to listen on', async () => {
    refuses(/^nothing to listen on: /, '--port', '', '--ws', '0', '--unix', '');
    const complaint = /^holdfast: \S+settings\.json with the command line: nothing to listen on: [^\n]*\n$/;
    await expectStartFails('bin/server.js', EXIT_CODES.usage, complaint, '--config', config, '--port', '0');
  });

  it('let clients list locks and register names when they are true, whatever the settings say', () => {
    folder.writeSettings({ port: 'auto', dump: false, registry: false, forceUnlock: true });
    expect(read()).to.include({ dump: false, registry: false, forceUnlock: true });
    const switches = ['--dump', '--registry', 'true', '--force-unlock', 'false'];
    expect(read(...switches)).to.include({ dump: true, registry: true, forceUnlock: false });
  });

  describe('--tls-cert, --tls-key and --tls-ca', () => {
    before(function () {
      needs(this, 'openssl');
    });

    it('serve TLS on the port and on WebSocket, and nothing else there', async () => {
      const { authority, server } = makeCertificates();
      const { ports } = await open('--ws', 'auto', '--tls-cert', server.certFile, '--tls-key', server.keyFile);
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
      const port = (await open(...files)).ports[0] as number;
      const other = makeCertificates();
      for (const certificate of [undefined, other.client]) {
        await new LineClient(await tlsConnect(port, authority, certificate)).closed;
      }
      const known = new LineClient(await tlsConnect(port, authority, client));
      expect(await known.statistics()).to.include({ connections: 1 });
    });

    it('are read again on SIGHUP, connections stay open, and the old ones stay when that fails', async () => {
      const { authority, server } = makeCertificates();
      const { program, ports } = await start('--tls-cert', server.certFile, '--tls-key', server.keyFile);
      const port = ports[0] as number;
      const subject = async (): Promise<unknown> => (await tlsConnect(port, authority)).getPeerCertificate().subject.CN;
      const before = await tlsConnect(port, authority);
      expect(before.getPeerCertificate().subject.CN).to.equal('server');
      const renewed = authority.issue('renewed');
      renameSync(renewed.certFile, server.certFile);
      renameSync(renewed.keyFile, server.keyFile);
      expect(await subject()).to.equal('server');
      program.signal('SIGHUP');
      expect(await program.nextErrorLine()).to.include('read the certificates again');
      expect(await program.nextErrorLine()).to.include('read the settings again: 0 changed, 0 need a restart');
      expect(await subject()).to.equal('renewed');
      writeFileSync(server.certFile, 'no certificate');
      program.signal('SIGHUP');
      const line = JSON.parse(await program.nextErrorLine());
      expect(line.msg).to.match(/^the settings cannot be read again, so nothing has changed: /);
      expect(line.why).to.match(
        new RegExp(`^${config} with the command line: settings: tls\\.cert is ${server.certFile}; `),
      );
      expect(await subject()).to.equal('renewed');
      expect(await new LineClient(before).ask('i jobs')).to.equal('0 Lock Not Locked: jobs');
    });

    it('are refused when a certificate or key is missing, wrong or not there, or they do not belong together', () => {
      const [{ server }, other] = [makeCertificates(), makeCertificates()];
      const nonsense = folder.at('nonsense.pem');
      writeFileSync(nonsense, 'nonsense');
      const [cert, key] = [server.certFile, server.keyFile];
      const missing = folder.at('missing.pem');
      for (const [complaint, tls] of [
        [
          /^settings: tls\.cert is \S+missing\.pem; expected a file that can be read: ENOENT/,
          { cert: missing, key: missing },
        ],
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

  describe('with user and group', () => {
    before(function () {
      if (process.getuid?.() === 0) return;
      console.log('      skipped: only root can become another user');
      this.skip();
    });

    it('become them once all listeners are open', async () => {
      const listeners = [
        { transport: 'unix', path: folder.at('lock.sock') },
        { transport: 'unix', path: folder.at('other.sock'), group: 'daemon' },
      ];
      folder.writeSettings({ port: 'auto', user: 'nobody', group: 'nogroup', listeners });
      const { program, ports } = await start();
      expectNobody(program);
      const client = await LineClient.connect(ports[0] as number);
      expect(await client.ask('g jobs')).to.equal('1 Lock Get Success: jobs');
      expect(statSync(folder.at('lock.sock'))).to.include({ uid: 65_534, gid: 65_534 });
      expect(statSync(folder.at('other.sock'))).to.include({ uid: 65_534, gid: 1 });
      // Its folder belongs to root.
      program.signal('SIGTERM');
      expect(await program.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
    });

    it('end the program when there is no such user, and leave nothing behind', async () => {
      const [path, pidfile] = [folder.at('lock.sock'), folder.at('server.pid')];
      chmodSync(folder.path, 0o755);
      const listeners = [{ transport: 'unix', path }];
      folder.writeSettings({ port: 'auto', user: 'nosuchuser', group: 'nogroup', pidfile, listeners });
      const complaint = /^holdfast: .*nosuchuser\n$/;
      await expectStartFails('bin/server.js', EXIT_CODES.usage, complaint, '--config', config);
      expect([existsSync(path), existsSync(pidfile)]).to.deep.equal([false, false]);
    });
  });

  function start(...args: readonly string[]): Promise<ListeningProgram> {
    return startListening('bin/server.js', '--config', config, ...args);
  }

  function read(...args: readonly string[]): Settings {
    return readServerArguments(['--config', config, ...args]);
  }

  /** The same without a process. */
  function open(...args: readonly string[]): Promise<PlannedServer> {
    return openPlanned(read(...args));
  }

  function refuses(complaint: RegExp, ...args: readonly string[]): void {
    expect(() => planListeners(read(...args))).to.throw(SettingsError, complaint);
  }
});

function placesOf(settings: Settings): string[] {
  return planListeners(settings).map(({ place }) => place);
}

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
