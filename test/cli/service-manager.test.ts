import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { ServiceManager } from '../../lib/cli/service-manager.ts';
import { needs, SystemProgram } from '../foreign/system-program.ts';
import { folderForEachTest, whenTestEnds } from '../server/clean-up.ts';
import { RawClient, until } from '../server/raw-client.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { NotifySocket } from './notify-socket.ts';

describe('what systemd is told', () => {
  const folder = folderForEachTest();
  let socket: NotifySocket;
  let logger: RecordingLogger;

  before(function () {
    needs(this, 'perl', 'systemd-notify');
  });
  beforeEach(async () => {
    socket = await NotifySocket.open();
    logger = new RecordingLogger();
  });

  it('is that the server is ready and where it listens, that it reads its settings again, and that it drains', async () => {
    const args = ['bin/server.js', '--port', 'auto', '--config', folder.writeSettings({ drainSeconds: 3_600 })];
    const server = new SystemProgram(process.execPath, args, { NOTIFY_SOCKET: socket.path });
    const startLine = await server.nextLine();
    expect(await socket.next(server.pid)).to.equal(`STATUS=${startLine}`);
    expect(await socket.next(server.pid)).to.equal('READY=1');
    server.signal('SIGHUP');
    // Only the end of a reload that was over before something else was sent.
    let message = await socket.next(server.pid);
    if (message === 'RELOADING=1') message = await socket.next(server.pid);
    expect(message).to.equal('READY=1');
    const holder = await RawClient.connect(Number(/:(\d+),/.exec(startLine)?.[1]));
    await holder.take('jobs');
    server.signal('SIGTERM');
    expect(await socket.next(server.pid)).to.equal('STOPPING=1');
    await holder.ask('unlock', { lockName: 'jobs' });
    expect(await server.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
  });

  it('is when a reload begins and ends', async () => {
    makeManager().reload(() => {});
    expect(await nextMessages(2)).to.deep.equal(['RELOADING=1', 'READY=1']);
  });

  it('is one line of status, whatever the names of sockets', async () => {
    makeManager().ready('listens on /run/a\nMAINPID=1');
    expect(await nextMessages(2)).to.deep.equal(['STATUS=listens on /run/a MAINPID=1', 'READY=1']);
  });

  it('is nothing without a socket', () => {
    const known = children();
    makeManager({ NOTIFY_SOCKET: '', WATCHDOG_USEC: '1000' }).ready('listens');
    expect(children()).to.equal(known);
    makeManager().ready('listens');
    expect(children()).not.to.equal(known);
  });

  it('is that it lives, again and again', async () => {
    makeManager({ WATCHDOG_USEC: '20000' }).ready('listens');
    expect((await nextMessages(4)).slice(2)).to.deep.equal(['WATCHDOG=1', 'WATCHDOG=1']);
  });

  it('is not that it lives while its event loop is blocked', async () => {
    const sent = folder.at('sent');
    const path = fakeProgram(`echo "$2" >> ${sent}; exec systemd-notify "$@"`);
    makeManager({ WATCHDOG_USEC: '20000', WATCHDOG_PID: String(process.pid), PATH: path }).ready('listens');
    await nextMessages(3);
    const before = readFileSync(sent, 'utf8').length;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    // One may have been given to the shell before.
    expect(readFileSync(sent, 'utf8').length - before).to.be.at.most('WATCHDOG=1\n'.length);
    expect(await nextMessages(2)).to.deep.equal(['WATCHDOG=1', 'WATCHDOG=1']);
  });

  it('is not that it lives where the watchdog is for another process', async () => {
    const manager = makeManager({ WATCHDOG_USEC: '2000', WATCHDOG_PID: '1' });
    manager.ready('listens');
    const messages = await nextMessages(2);
    for (let reloads = 0; reloads < 3; reloads += 1) {
      manager.reload(() => {});
      messages.push(await nextMessage());
    }
    expect(messages).not.to.include('WATCHDOG=1');
  });

  it('is not that it lives where the time of the watchdog is no number', () => {
    makeManager({ WATCHDOG_USEC: 'soon' }).ready('listens');
    expect(logger.warnings).to.deep.equal([
      'WATCHDOG_USEC is "soon", but must be a number of microseconds; the watchdog of systemd gets no sign of life',
    ]);
  });

  it('is the newest when messages are slow, and one after the other', async () => {
    const gate = folder.at('gate');
    const path = fakeProgram(`while [ ! -e ${gate} ]; do sleep 0.01; done; exec systemd-notify "$@"`);
    const manager = makeManager({ PATH: path });
    manager.ready('listens');
    for (let reloads = 0; reloads < 1_000; reloads += 1) manager.reload(() => {});
    manager.stopping();
    writeFileSync(gate, '');
    expect(await nextMessages(2)).to.deep.equal(['STATUS=listens', 'STOPPING=1']);
  });

  it('is tried again after failures, of which only the first is logged', async () => {
    const [mended, tries] = [folder.at('mended'), folder.at('tries')];
    const fails = `echo >> ${tries}; echo broken >&2; exit 1`;
    const path = fakeProgram(`if [ ! -e ${mended} ]; then ${fails}; fi; exec systemd-notify "$@"`);
    const manager = makeManager({ PATH: path });
    manager.ready('listens');
    manager.reload(() => {});
    await until(() => existsSync(tries) && readFileSync(tries).length >= 2 && logger.warnings.length > 0);
    writeFileSync(mended, '');
    manager.stopping();
    let last = await nextMessage();
    while (last !== 'STOPPING=1') last = await nextMessage();
    expect(logger.entries.map(({ details }) => details)).to.deep.equal([{ why: 'broken' }]);
  });

  /** A program named `systemd-notify` in the folder; returns a path on which it comes first. */
  function fakeProgram(script: string): string {
    writeFileSync(folder.at('systemd-notify'), `#!/bin/sh\nPATH=${process.env.PATH}; ${script}\n`);
    chmodSync(folder.at('systemd-notify'), 0o700);
    return `${folder.path}:${process.env.PATH}`;
  }

  function makeManager(environment: NodeJS.ProcessEnv = {}): ServiceManager {
    const manager = new ServiceManager({ ...process.env, NOTIFY_SOCKET: socket.path, ...environment }, logger);
    whenTestEnds(() => manager.close());
    return manager;
  }

  function nextMessage(): Promise<string> {
    return socket.next(process.pid);
  }

  async function nextMessages(count: number): Promise<string[]> {
    const messages: string[] = [];
    while (messages.length < count) messages.push(await nextMessage());
    return messages;
  }

  /** The numbers of the processes that this one has started. */
  function children(): string {
    return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
  }
});
