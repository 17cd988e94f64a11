import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Context } from 'mocha';
import { EXIT_CODES, SIGNAL_EXIT_CODE } from '../../lib/cli/exit-codes.ts';
import { takePidfile } from '../../lib/cli/pidfile.ts';
import { LineClient } from '../foreign/line-client.ts';
import { needs, SystemProgram } from '../foreign/system-program.ts';
import { folderForEachTest, makeFolder } from '../server/clean-up.ts';
import { expectStartFails, type ListeningProgram, startListening, startProgram } from '../server/running-program.ts';
import { errorOf } from '../support/rejection.ts';

describe('the pidfile of a server', () => {
  const folder = folderForEachTest();
  let pidfile: string;

  beforeEach(() => {
    pidfile = folder.at('server.pid');
  });

  it('holds the pid while the server runs, and is removed at its end', async () => {
    const { program } = await start();
    expect(readFileSync(pidfile, 'utf8')).to.equal(`${program.pid}`);
    program.signal('SIGTERM');
    expect(await program.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
    expect(existsSync(pidfile)).to.equal(false);
  });

  it('keeps a second server out, and that server does not change it', async () => {
    const first = await start();
    await isKeptOut(pidfile);
    await isKeptOut(pidfile);
    expect(readFileSync(pidfile, 'utf8')).to.equal(`${first.program.pid}`);
    await serves(first);
  });

  it('keeps a second server out under another name of its folder', async () => {
    await start();
    const other = join(makeFolder(), 'link');
    symlinkSync(folder.path, other);
    await isKeptOut(join(other, 'server.pid'));
  });

  it('is no link: the server does not start, and leaves the link and its file as they are', async () => {
    const file = folder.at('precious');
    writeFileSync(file, 'precious');
    symlinkSync('precious', pidfile);
    const complaint = /^holdfast: pidfile: \S+server\.pid: it is a symbolic link; expected .*\n$/;
    await expectStartFails('bin/server.js', EXIT_CODES.pidfile, complaint, ...args(pidfile));
    expect(readlinkSync(pidfile)).to.equal('precious');
    expect(readFileSync(file, 'utf8')).to.equal('precious');
  });

  it('is no link to nothing, and the file is not made', async () => {
    symlinkSync('nothing', pidfile);
    await isRefused('it is a symbolic link');
    expect(readdirSync(folder.path)).to.deep.equal(['server.pid']);
  });

  it('is no second name of a file', async () => {
    const file = folder.at('precious');
    writeFileSync(file, 'precious');
    linkSync(file, pidfile);
    await isRefused('it has a second name, a hard link');
    expect(readFileSync(file, 'utf8')).to.equal('precious');
  });

  it('is no pipe', async function () {
    needs(this, 'mkfifo');
    expect(await new SystemProgram('mkfifo', [pidfile]).exit).to.deep.equal({ code: 0, signal: null });
    await isRefused('it is no regular file');
    expect(lstatSync(pidfile).isFIFO()).to.equal(true);
  });

  it('is no file of another user', async function () {
    needsRoot(this);
    writeFileSync(pidfile, 'precious');
    chownSync(pidfile, 65_534, 65_534);
    await isRefused('it belongs to the user 65534');
    expect(readFileSync(pidfile, 'utf8')).to.equal('precious');
  });

  it('stays at the end when another file has its place by then', async () => {
    const { program } = await start();
    rmSync(pidfile);
    writeFileSync(pidfile, 'precious');
    program.signal('SIGTERM');
    expect(await program.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
    expect(readFileSync(pidfile, 'utf8')).to.equal('precious');
  });

  it('may be written by its owner only, whatever the umask', async () => {
    const umask = process.umask(0);
    try {
      await start();
    } finally {
      process.umask(umask);
    }
    expect(lstatSync(pidfile).mode & 0o777).to.equal(0o644);
  });

  it('keeps a second server out when it was removed meanwhile', async () => {
    const first = await start();
    rmSync(pidfile);
    await isKeptOut(pidfile);
    await serves(first);
  });

  it('does not keep out a server with another pidfile, even if the long names differ only at the end', async () => {
    const name = 'n'.repeat(200);
    await startListening('bin/server.js', ...args(folder.at(`${name}1.pid`)));
    await serves(await startListening('bin/server.js', ...args(folder.at(`${name}2.pid`))));
    await isKeptOut(folder.at(`${name}1.pid`));
  });

  it('passes from a killed server to the next', async () => {
    const first = await start();
    await first.program.kill();
    expect(readFileSync(pidfile, 'utf8')).to.equal(`${first.program.pid}`);
    const second = await start();
    expect(readFileSync(pidfile, 'utf8')).to.equal(`${second.program.pid}`);
    await serves(second);
    await isKeptOut(pidfile);
  });

  for (const text of [`${process.pid}`, 'a text longer than any pid\n']) {
    it(`holds its own pid after a start that found ${text === `${process.pid}` ? 'a running pid' : 'a text'} in it`, async () => {
      writeFileSync(pidfile, text);
      const { program } = await start();
      expect(readFileSync(pidfile, 'utf8')).to.equal(`${program.pid}`);
    });
  }

  it('is removed after a start that failed', async () => {
    const { ports } = await start();
    const other = folder.at('other.pid');
    const failed = startProgram('bin/server.js', ...args(other), ...['--port', `${ports[0]}`]);
    expect((await failed.exit).code).to.be.greaterThan(0);
    expect(failed.errorOutput).to.include('EADDRINUSE');
    expect(existsSync(other)).to.equal(false);
  });

  function args(file: string): string[] {
    return ['--port', 'auto', '--pidfile', file];
  }

  function start(): Promise<ListeningProgram> {
    return startListening('bin/server.js', ...args(pidfile));
  }

  async function isKeptOut(file: string): Promise<void> {
    const complaint = /^holdfast: \S+\.pid: (process \d+, \S+,|another server that is running) has this pidfile\n$/;
    await expectStartFails('bin/server.js', EXIT_CODES.pidfile, complaint, ...args(file));
  }

  async function isRefused(why: string): Promise<void> {
    const complaint = new RegExp(`^\\S+server\\.pid: ${why}; expected .*$`);
    expect((await errorOf(takePidfile(pidfile))).message).to.match(complaint);
  }

  async function serves({ ports }: ListeningProgram): Promise<void> {
    const client = await LineClient.connect(ports[0] as number);
    expect(await client.ask('i foo')).to.equal('0 Lock Not Locked: foo');
  }
});

describe('the pidfile of a server under the command line of glockd', () => {
  const folder = folderForEachTest();
  let args: string[];

  beforeEach(() => {
    args = ['-port', 'auto', '-ws', '0', '-pidfile', folder.at('glockd.pid')];
  });

  it('holds the pid while the server runs, keeps a second server out, and is removed at its end', async () => {
    const { program } = await startListening('bin/glockd.js', ...args);
    await expectStartFails('bin/glockd.js', 4, / has this pidfile\n$/, ...args);
    expect(readFileSync(folder.at('glockd.pid'), 'utf8')).to.equal(`${program.pid}`);
    program.signal('SIGTERM');
    expect(await program.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
    expect(existsSync(folder.at('glockd.pid'))).to.equal(false);
  });
});

describe('the pidfile of a server with settings', () => {
  const folder = folderForEachTest();
  let pidfile: string;

  beforeEach(() => {
    pidfile = folder.at('server.pid');
  });

  it('is removed even when a second signal ends the server at once', async () => {
    const { program, ports } = await start({ drainSeconds: 600 });
    const holder = await LineClient.connect(ports[0] as number);
    await holder.ask('g foo');
    program.signal('SIGTERM');
    expect(await program.nextErrorLine()).to.include('"stopping"');
    expect(readFileSync(pidfile, 'utf8')).to.equal(`${program.pid}`);
    const timer = setInterval(() => program.signal('SIGTERM'), 50);
    const exit = await program.exit;
    clearInterval(timer);
    expect(exit).to.deep.equal({ code: SIGNAL_EXIT_CODE + constants.signals.SIGTERM, signal: null });
    expect(existsSync(pidfile)).to.equal(false);
  });

  it('keeps a server out while a glockd holds it by flock', async function () {
    needs(this, 'flock');
    const glockd = new SystemProgram('flock', ['--nonblock', pidfile, 'sh', '-c', 'echo runs; sleep 60']);
    expect(await glockd.nextLine()).to.equal('runs');
    const config = folder.writeSettings({ port: 'auto', pidfile });
    const second = startProgram('bin/server.js', '--config', config);
    expect(await second.exit).to.deep.equal({ code: EXIT_CODES.pidfile, signal: null });
    expect(second.errorOutput).to.match(/: process \d+, flock, has this pidfile\n$/);
  });

  it('of a glockd that another user runs is respected, too', async function () {
    needs(this, 'flock', 'setpriv');
    needsRoot(this);
    chmodSync(folder.path, 0o777);
    const user = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const glockd = new SystemProgram('setpriv', [...user, 'flock', pidfile, 'sh', '-c', 'echo runs; sleep 60']);
    expect(await glockd.nextLine()).to.equal('runs');
    const second = startProgram('bin/glockd.js', '--port', 'auto', '--ws', '0', '--pidfile', pidfile);
    expect(await second.exit).to.deep.equal({ code: 4, signal: null });
    expect(second.errorOutput).to.match(/: process \d+, flock, has this pidfile\n$/);
  });

  it('works if the system hides who holds files', async function () {
    needs(this, 'unshare');
    const mount = 'mount --types proc --options subset=pid proc /proc && [ ! -e /proc/locks ]';
    const namespaces = ['--user', '--map-root-user', '--mount', '--pid', '--fork', '--kill-child'];
    const { code } = await new SystemProgram('unshare', [...namespaces, 'sh', '-c', mount]).exit;
    if (code !== 0) {
      console.log('      skipped: this system cannot hide /proc/locks');
      this.skip();
    }
    const config = folder.writeSettings({ port: 'auto', pidfile });
    const start = `${mount} && exec "${process.execPath}" bin/server.js --config "${config}"`;
    const server = new SystemProgram('unshare', [...namespaces, 'sh', '-c', start]);
    expect(await server.nextLine()).to.include('listens on');
  });

  it('is emptied at the end by a server that may no longer remove it', async function () {
    needsRoot(this);
    chmodSync(folder.path, 0o755);
    const { program } = await start({ user: 'nobody', group: 'nogroup' });
    expect(readFileSync(pidfile, 'utf8')).to.equal(`${program.pid}`);
    program.signal('SIGTERM');
    expect(await program.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
    expect(existsSync(pidfile) ? readFileSync(pidfile, 'utf8') : '').to.equal('');
  });

  function start(settings: object): Promise<ListeningProgram> {
    return startListening('bin/server.js', '--config', folder.writeSettings({ port: 'auto', pidfile, ...settings }));
  }
});

function needsRoot(test: Context): void {
  if (process.getuid?.() === 0) return;
  console.log('      skipped: only root can become another user, or give files away');
  test.skip();
}
