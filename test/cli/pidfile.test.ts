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
import { join } from 'node:path';
import { expect } from 'chai';
import type { Context } from 'mocha';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { type Pidfile, PidfileTakenError, takePidfile } from '../../lib/cli/pidfile.ts';
import { LineClient } from '../foreign/line-client.ts';
import { needs, SystemProgram } from '../foreign/system-program.ts';
import { folderForEachTest, makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { expectStartFails, type ListeningProgram, startListening } from '../server/running-program.ts';
import { errorOf } from '../support/rejection.ts';

const OWN_PID = String(process.pid);

describe('a pidfile', () => {
  const folder = folderForEachTest();
  let pidfile: string;

  beforeEach(() => {
    pidfile = folder.at('server.pid');
  });

  it('holds the pid until it is released, and is removed then', async () => {
    const { release } = await take();
    expect(pidIn(pidfile)).to.equal(OWN_PID);
    release();
    expect(existsSync(pidfile)).to.equal(false);
  });

  it('keeps a second server out, and that server does not change it', async () => {
    await take();
    await isKeptOut();
    await isKeptOut();
    expect(pidIn(pidfile)).to.equal(OWN_PID);
  });

  it('keeps a second server out under another name of its folder', async () => {
    await take();
    const other = join(makeFolder(), 'link');
    symlinkSync(folder.path, other);
    await isKeptOut(join(other, 'server.pid'));
  });

  it('is no link, and the link and its file stay as they are', async () => {
    const file = folder.at('precious');
    writeFileSync(file, 'precious');
    symlinkSync('precious', pidfile);
    await isRefused('it is a symbolic link');
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
    const { release } = await take();
    rmSync(pidfile);
    writeFileSync(pidfile, 'precious');
    release();
    expect(readFileSync(pidfile, 'utf8')).to.equal('precious');
  });

  it('may be written by its owner only, whatever the umask', async () => {
    const umask = process.umask(0);
    try {
      await take();
    } finally {
      process.umask(umask);
    }
    expect(lstatSync(pidfile).mode & 0o777).to.equal(0o644);
  });

  it('keeps a second server out when it was removed meanwhile', async () => {
    await take();
    rmSync(pidfile);
    await isKeptOut();
  });

  it('does not keep out a server with another pidfile, even if the long names differ only at the end', async () => {
    const [first, second] = [1, 2].map((end) => folder.at(`${'n'.repeat(200)}${end}.pid`)) as [string, string];
    await take(first);
    await take(second);
    await isKeptOut(first);
  });

  for (const [found, text] of [
    ['a running pid', `${process.ppid}`],
    ['a text', 'a text longer than any pid\n'],
  ] as const) {
    it(`holds its own pid after a start that found ${found} in it`, async () => {
      writeFileSync(pidfile, text);
      await take();
      expect(pidIn(pidfile)).to.equal(OWN_PID);
    });
  }

  it('keeps a server out while a glockd holds it by flock', async function () {
    needs(this, 'flock');
    const glockd = new SystemProgram('flock', ['--nonblock', pidfile, 'sh', '-c', 'echo runs; sleep 60']);
    expect(await glockd.nextLine()).to.equal('runs');
    await isKeptOut(pidfile, 'process \\d+, flock,');
  });

  it('of a glockd that another user runs is respected, too', async function () {
    needs(this, 'flock', 'setpriv');
    needsRoot(this);
    chmodSync(folder.path, 0o777);
    const user = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const glockd = new SystemProgram('setpriv', [...user, 'flock', pidfile, 'sh', '-c', 'echo runs; sleep 60']);
    expect(await glockd.nextLine()).to.equal('runs');
    await isKeptOut(pidfile, 'process \\d+, flock,');
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
    const script = `import { takePidfile } from './dist/lib/cli/pidfile.js'; await takePidfile('${pidfile}');`;
    const taker = `${mount} && exec "${process.execPath}" --input-type=module --eval "${script}; console.log('taken')"`;
    expect(await new SystemProgram('unshare', [...namespaces, 'sh', '-c', taker]).nextLine()).to.equal('taken');
  });

  async function take(file = pidfile): Promise<Pidfile> {
    const taken = await takePidfile(file);
    whenTestEnds(() => taken.release());
    return taken;
  }

  async function isKeptOut(
    file = pidfile,
    who = `(process ${process.pid}, \\S+,|another server that is running)`,
  ): Promise<void> {
    const error = await errorOf(takePidfile(file));
    expect(error).to.be.instanceOf(PidfileTakenError);
    expect(error.message).to.match(new RegExp(`^\\S+\\.pid: ${who} has this pidfile$`));
  }

  async function isRefused(why: string): Promise<void> {
    const complaint = new RegExp(`^\\S+server\\.pid: ${why}; expected .*$`);
    expect((await errorOf(takePidfile(pidfile))).message).to.match(complaint);
  }
});

describe('the pidfile of a server program', () => {
  const folder = folderForEachTest();
  let pidfile: string;

  beforeEach(() => {
    pidfile = folder.at('server.pid');
  });

  it('keeps a second server out while the first runs, and passes to another one when it was killed', async () => {
    const { program, ports } = await start({});
    expect(pidIn(pidfile)).to.equal(`${program.pid}`);
    const args = ['--port', 'auto', '--pidfile', pidfile];
    const complaint = /^holdfast: \S+\.pid: process \d+, \S+, has this pidfile\n$/;
    await expectStartFails('bin/server.js', EXIT_CODES.pidfile, complaint, ...args);
    const client = await LineClient.connect(ports[0] as number);
    expect(await client.ask('i foo')).to.equal('0 Lock Not Locked: foo');
    await program.kill();
    expect(pidIn(pidfile)).to.equal(`${program.pid}`);
    const { release } = await takePidfile(pidfile);
    expect(pidIn(pidfile)).to.equal(OWN_PID);
    release();
  });

  it('ends it with the same code when it is a link', async () => {
    symlinkSync('precious', pidfile);
    const complaint = /^holdfast: pidfile: \S+server\.pid: it is a symbolic link; expected .*\n$/;
    await expectStartFails('bin/server.js', EXIT_CODES.pidfile, complaint, '--port', 'auto', '--pidfile', pidfile);
  });

  it('under the command line of glockd keeps a second server out, and is removed at the end', async () => {
    const args = ['-port', 'auto', '-ws', '0', '-pidfile', pidfile];
    const { program } = await startListening('bin/glockd.js', ...args);
    await expectStartFails('bin/glockd.js', 4, / has this pidfile\n$/, ...args);
    expect(pidIn(pidfile)).to.equal(`${program.pid}`);
    program.signal('SIGTERM');
    expect(await program.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
    expect(existsSync(pidfile)).to.equal(false);
  });

  it('is removed even when a second signal ends the server at once, with 128 and its number', async () => {
    const { program, ports } = await start({ drainSeconds: 600 });
    const holder = await LineClient.connect(ports[0] as number);
    await holder.ask('g foo');
    program.signal('SIGTERM');
    expect(await program.nextErrorLine()).to.include('"stopping"');
    expect(pidIn(pidfile)).to.equal(`${program.pid}`);
    const timer = setInterval(() => program.signal('SIGINT'), 50);
    const exit = await program.exit;
    clearInterval(timer);
    expect(exit).to.deep.equal({ code: 128 + 2, signal: null });
    expect(existsSync(pidfile)).to.equal(false);
  });

  it('is emptied at the end by a server that may no longer remove it', async function () {
    needsRoot(this);
    chmodSync(folder.path, 0o755);
    const { program } = await start({ user: 'nobody', group: 'nogroup' });
    expect(pidIn(pidfile)).to.equal(`${program.pid}`);
    program.signal('SIGTERM');
    expect(await program.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
    expect(existsSync(pidfile) ? pidIn(pidfile) : '').to.equal('');
  });

  function start(settings: object): Promise<ListeningProgram> {
    return startListening('bin/server.js', '--config', folder.writeSettings({ port: 'auto', pidfile, ...settings }));
  }
});

function pidIn(file: string): string {
  return readFileSync(file, 'utf8');
}

function needsRoot(test: Context): void {
  if (process.getuid?.() === 0) return;
  console.log('      skipped: only root can become another user, or give files away');
  test.skip();
}
