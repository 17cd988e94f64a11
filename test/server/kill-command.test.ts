import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { planListeners } from '../../lib/cli/listeners.ts';
import { completeSettings, type ListenerSettings } from '../../lib/cli/settings.ts';
import { LockClient } from '../../lib/client/lock-client.ts';
import { LockHistory } from '../../lib/history/lock-history.ts';
import { unix } from '../../lib/transports/unix.ts';
import { startWithList } from '../sessions/session-scene.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { granted } from './answers.ts';
import { endTest, makeFolder } from './clean-up.ts';
import { addressOf, type Message, RawClient } from './raw-client.ts';
import { type RunningServer, startServer } from './running-server.ts';

interface Opened {
  readonly id: string;
  readonly secret: string;
}

describe('the kill command', () => {
  let log: RecordingLogger;
  let server: RunningServer;
  let admin: RawClient;
  let client: RawClient;
  let waiter: RawClient;

  beforeEach(async () => {
    log = new RecordingLogger();
    const history = new LockHistory();
    server = await startServer({}, log, { observers: [history], history });
    const path = join(makeFolder(), 'admin.sock');
    await server.server.listen(unix({ path }), { admin: true });
    admin = new RawClient(connect(path));
    client = await server.connect();
    waiter = await server.connect();
    await admin.ask('identify', { name: 'Ann' });
    await client.ask('identify', { name: 'import' });
  });
  afterEach(endTest);

  /** Opens a session that outlives its connection. */
  async function open(): Promise<Opened> {
    return (await client.ask('hello', { protocol: 1, name: 'import', session: {} })).session as unknown as Opened;
  }

  async function resume({ id, secret }: Opened): Promise<Message> {
    const back = await server.connect();
    return (await back.ask('hello', { protocol: 1, session: { id, secret } })).session as Message;
  }

  /** Has the client hold a lock for which another one waits. */
  async function holdAwaited(): Promise<void> {
    await client.take('jobs');
    await waiter.queue(1, 'jobs');
  }

  async function expectGranted(): Promise<void> {
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(2) });
  }

  it('ends the session of the client with that address and its connection, and frees its locks', async () => {
    await holdAwaited();
    expect(await admin.ask('kill', { address: addressOf(client) })).to.deep.equal({ status: 'ok', killed: 1 });
    await expectGranted();
    await client.closed;
    expect(await admin.ask('kill', { address: addressOf(client) })).to.deep.equal({ status: 'ok', killed: 0 });
  });

  it('ends all sessions of clients with that name, but not the one that asks', async () => {
    await waiter.ask('identify', { name: 'Ann' });
    const second = await server.connect();
    await second.ask('identify', { name: 'Ann' });
    expect(await admin.ask('kill', { name: 'Ann' })).to.deep.equal({ status: 'ok', killed: 2 });
    await Promise.all([waiter.closed, second.closed]);
    await admin.settle();
    await client.settle();
  });

  it('ends a session that would outlive its connection, so that nobody can resume it', async () => {
    const session = await open();
    await holdAwaited();
    expect(await admin.ask('kill', { name: 'import' })).to.deep.equal({ status: 'ok', killed: 1 });
    await expectGranted();
    expect(await resume(session)).to.include({ state: 'gone' });
  });

  it('ends a session whose client is not connected', async () => {
    const session = await open();
    const address = addressOf(client);
    await holdAwaited();
    client.reset();
    await client.closed;
    let holders: readonly Message[] = [];
    while (holders[0]?.expiresInMs === undefined)
      holders = (await admin.ask('inspect', { lockName: 'jobs' })).holders as readonly Message[];
    expect(await admin.ask('kill', { address })).to.deep.equal({ status: 'ok', killed: 1 });
    await expectGranted();
    expect(await resume(session)).to.include({ state: 'gone' });
  });

  it('ends a session of the run before whose client has not told all that it held, and nobody waits for it any more', async () => {
    const secretHash = createHash('sha256').update('secret').digest('base64url');
    const grace = await startWithList({ atStart: [{ id: 'before', secretHash, timeoutMs: 3_600_000 }] });
    const path = join(makeFolder(), 'grace.sock');
    await grace.server.listen(unix({ path }), { admin: true });
    const operator = new RawClient(connect(path));
    const [back, other] = await grace.connectTwo();
    const session = { id: 'before', secret: 'secret' };
    expect((await back.ask('hello', { protocol: 1, session })).session).to.include({ state: 'reclaim' });
    await back.ask('reclaim', { holds: [{ lockName: 'jobs', token: 1 }] });
    await other.queue(1, 'jobs');
    expect(await operator.ask('kill', { address: addressOf(back) })).to.deep.equal({ status: 'ok', killed: 1 });
    expect(await other.next()).to.deep.include({ id: 1 });
    expect(await other.ask('stats')).to.include({ awaitedSessions: 0, holders: 1 });
  });

  it('is logged and remembered, with who did it', async () => {
    await holdAwaited();
    await admin.ask('kill', { name: 'import' });
    await admin.ask('forceUnlock', { lockName: 'jobs' });
    await expectGranted();
    expect(await waiter.next()).to.include({ event: 'lost', reason: 'forced' });
    const by = { name: 'Ann', address: 'unix:1' };
    expect(log.at('warn').map(({ message }) => message)).to.deep.equal([
      'the sessions of a client were ended by an operator',
      'a lock was taken away from its holders',
    ]);
    expect(log.at('warn')[0]?.details).to.deep.equal({ by: 'kill', client: by, killed: 'import', count: 1 });
    const { records } = await admin.ask('history');
    const told = (records as readonly Message[]).map(({ kind, reason, name, killed, session }) =>
      [kind, reason, name, killed, session].filter((each) => each !== undefined).join(' '),
    );
    expect(told).to.deep.equal([
      'forceUnlock forceUnlock Ann',
      'hold forced ',
      'kill kill Ann import',
      'hold sessionEnded import killed',
      'session killed import',
    ]);
  });

  it('is denied, as forceUnlock is, on listeners that are not for operators', async () => {
    expect(await client.ask('kill', { name: 'Ann' })).to.deep.equal({ status: 'denied' });
    expect(await client.ask('forceUnlock', { lockName: 'jobs' })).to.deep.equal({ status: 'denied' });
    await admin.settle();
  });

  it('works for everybody where forceUnlock is switched on', async () => {
    const open = await startServer({}, undefined, { forceUnlock: true });
    const [one, other] = await open.connectTwo();
    expect(await one.ask('kill', { address: addressOf(other) })).to.deep.equal({ status: 'ok', killed: 1 });
    await other.closed;
  });

  it('needs either an address or a name', async () => {
    expect(await admin.ask('kill', {})).to.deep.equal({
      status: 'invalid',
      message: 'parameters has neither address nor name; expected one of them',
    });
    expect(await admin.ask('kill', { address: 'a', name: 'b' })).to.include({ status: 'invalid' });
    const { message } = await admin.ask('kill', { name: '' });
    expect(message).to.include('parameters.name is ""; expected a string that is not empty');
  });

  it('is for the clients of Unix sockets by default, and of others that the settings mark', () => {
    const isAdmin = (listener: Partial<ListenerSettings>): boolean => {
      const settings = completeSettings({ port: 0, listeners: [{ enabled: true, ...listener }] }, 'settings');
      return planListeners(settings)[0]?.options.admin === true;
    };
    expect(isAdmin({ transport: 'unix', path: '/x' })).to.equal(true);
    expect(isAdmin({ transport: 'unix', path: '/x', admin: false })).to.equal(false);
    expect(isAdmin({ transport: 'tcp', port: 1 })).to.equal(false);
    expect(isAdmin({ transport: 'tcp', port: 1, admin: true })).to.equal(true);
  });

  it('is done by the client, which resolves to the number of sessions', async () => {
    const path = join(makeFolder(), 'second.sock');
    await server.server.listen(unix({ path }), { admin: true });
    const operator = await LockClient.connect({ path });
    expect(await operator.kill({ name: 'import' })).to.equal(1);
    await operator.close();
    await client.closed;
  });
});
