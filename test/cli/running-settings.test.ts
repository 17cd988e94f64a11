import { writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { completeSettings, type Settings } from '../../lib/cli/settings.ts';
import { findChanges, withApplied } from '../../lib/cli/settings-changes.ts';
import { makeCertificates, tlsConnect } from '../foreign/certificates.ts';
import { limitReached } from '../server/answers.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { RawClient, until } from '../server/raw-client.ts';
import { handshakeStatus } from './handshake-status.ts';
import { type RunningScene, startRunning } from './running-scene.ts';

const HERE = ['127.0.0.1'];

describe('the settings of a server that runs', () => {
  const folder = folderForEachTest();

  function start(settings: object): Promise<RunningScene> {
    return startRunning(folder.writeSettings({ port: 'auto', allowed: HERE, ...settings }));
  }

  /** Reads these settings again; returns what the log says of it. */
  function reload({ running, log }: RunningScene, settings: object): string[] {
    folder.writeSettings({ port: 'auto', allowed: HERE, ...settings });
    log.entries.length = 0;
    running.reload();
    return log.shown;
  }

  it('change who may connect for new connections, and those that are open stay', async () => {
    const scene = await start({ listeners: [{ transport: 'tcp', port: 'auto', allowed: ['127.0.0.3'] }] });
    const [port = 0, other = 0] = scene.ports;
    const open = await RawClient.connect(port);
    expect(await open.ask('ping')).to.deep.equal({ status: 'ok' });
    const listeners = [{ transport: 'tcp', port: 'auto' }];
    expect(reload(scene, { allowed: ['127.0.0.2'], listeners })).to.deep.equal([
      'settings.allowed is ["127.0.0.2"] now; it was ["127.0.0.1"]',
      'settings.listeners[0].allowed is not set now; it was ["127.0.0.3"]',
      'read the settings again: 2 changed, 0 need a restart',
    ]);
    expect(await open.ask('ping')).to.deep.equal({ status: 'ok' });
    for (const each of [port, other]) {
      await (await RawClient.connect(each)).closed;
      const allowed = await RawClient.connect(each, { localAddress: '127.0.0.2' });
      expect(await allowed.ask('ping')).to.deep.equal({ status: 'ok' });
    }
  });

  it('change limits for further requests, and what is above a lowered one stays', async () => {
    const scene = await start({ limits: { maxLocks: 2 } });
    const client = await RawClient.connect(scene.ports[0] as number);
    await client.take('a');
    await client.take('b');
    reload(scene, { limits: { maxLocks: 1 } });
    expect(await client.ask('lock', { lockName: 'c' })).to.deep.equal(limitReached('maxLocks', 1));
    expect(await client.ask('stats')).to.include({ locks: 2 });
    reload(scene, { limits: { maxLocks: 3 } });
    await client.take('c');
  });

  it('change pages that may connect by WebSocket, names of the status page, groups of locks and the log', async () => {
    const listeners = [{ transport: 'websocket', port: 'auto' }];
    const scene = await start({ port: 0, listeners, http: { port: 'auto' } });
    const [port = 0] = scene.ports;
    const statusOf = async (path: string) => (await fetch(`${scene.url}${path}`)).status;
    const groups = [{ match: 'a*', name: 'every a' }];
    const metrics = async () => await (await fetch(`${scene.url}metrics`)).text();
    expect(await handshakeStatus(port, 'locks.example')).to.equal(403);
    expect(await metrics()).to.not.include('every a');
    const common = { port: 0, listeners, hosts: ['locks.example'], metrics: { groups }, verbose: true };
    expect(reload(scene, { ...common, http: { port: 'auto' } })).to.have.lengthOf(4);
    expect(await handshakeStatus(port, 'locks.example')).to.equal(101);
    expect(scene.log.level).to.equal('debug');
    const client = await import('ws').then(({ WebSocket }) => new WebSocket(`ws://127.0.0.1:${port}`));
    await new Promise((resolve) => client.once('open', resolve));
    client.send('g abc');
    await new Promise((resolve) => client.once('message', resolve));
    expect(await metrics()).to.include('holdfast_group_holders{group="every a"} 1');
    client.terminate();
    reload(scene, { ...common, http: { port: 'auto', allowed: ['127.0.0.9'] } });
    expect(await statusOf('livez').catch(() => 'refused')).to.equal('refused');
  });

  it('begin and cease to log long waits', async () => {
    const scene = await start({});
    const [port = 0] = scene.ports;
    const [holder, waiter] = [await RawClient.connect(port), await RawClient.connect(port)];
    await holder.take('a');
    await waiter.queue(1, 'a');
    reload(scene, { log: { waitsOver: 1 } });
    await holder.take('b');
    await waiter.queue(2, 'b');
    await until(() => scene.log.shown.some((line) => line.startsWith('a request has waited')));
    expect(scene.log.at('info').flatMap(({ details }) => details.lockName ?? [])).to.deep.equal(['b']);
  });

  it('stay all as they are when one thing is wrong, which the log names with the file', async () => {
    const { authority, server } = makeCertificates();
    const tls = { cert: server.certFile, key: server.keyFile };
    const scene = await start({ tls, limits: { maxLocks: 5 } });
    const before = scene.running.current;
    const file = folder.at('settings.json');
    const beginning = `the settings cannot be read again, so nothing has changed: ${file}: `;
    for (const [wrong, complaint] of [
      [{ allowed: ['x'] }, 'settings.allowed[0]: "x" is no address; expected one such as'],
      [{ limits: { maxLocks: 0 } }, 'settings.limits.maxLocks is 0; expected a whole number from 1'],
      [{ http: { hosts: ['a/b'] } }, 'settings.http.hosts[0]: "a/b" is no host name; expected one such as'],
      [{ tls: { ...tls, key: folder.at('none.pem') } }, 'settings: tls.key is '],
      // It would need a restart.
      [{ tls: { ...tls, ca: folder.at('none.pem') } }, 'settings: tls.ca is '],
    ] as const) {
      const lines = reload(scene, { tls, allowed: ['127.0.0.2'], ...wrong });
      expect(lines).to.have.lengthOf(1);
      expect(lines[0]).to.include(beginning + complaint);
      expect(scene.running.current).to.equal(before);
    }
    writeFileSync(file, '{');
    scene.log.entries.length = 0;
    scene.running.reload();
    expect(scene.log.shown[0]).to.include(`${beginning}not JSON`);
    await tlsConnect(scene.ports[0] as number, authority);
  });
});

describe('changes of settings', () => {
  const settings = (given: object): Settings => completeSettings({ ...given }, 'test');
  const tls = { cert: 'a', key: 'b' };
  const cluster = { etcd: ['http://127.0.0.1:1'], advertise: '127.0.0.1:1' };
  const listener = { transport: 'tcp', port: 1, proxied: true };

  /** What changes from the first to the second, in two lists. */
  function changesBetween(first: object, second: object) {
    const changes = findChanges(settings(first), settings(second));
    const pathsOf = (isWanted: boolean) =>
      changes.flatMap(({ path, isApplied }) => (isApplied === isWanted ? path : []));
    return { applied: pathsOf(true), restart: pathsOf(false) };
  }

  it('need a restart where a listener, TLS, a file or a rule of the locks is another', () => {
    const cases: readonly [first: object, second: object, path: string][] = [
      [{}, { port: 1 }, 'port'],
      [{}, { stateDirectory: 'x' }, 'stateDirectory'],
      [{}, { forceUnlock: true }, 'forceUnlock'],
      [{ tls }, { tls: { ...tls, ca: 'c' } }, 'tls.ca'],
      [{}, { limits: { maxMessageBytes: 5_000 } }, 'limits.maxMessageBytes'],
      [{ cluster }, { cluster, limits: { maxLocks: 5 } }, 'limits.maxLocks'],
      [{ listeners: [] }, { listeners: [listener] }, 'listeners'],
      [{ listeners: [listener] }, { listeners: [{ ...listener, port: 2 }] }, 'listeners[0].port'],
      [{ listeners: [listener] }, { listeners: [{ ...listener, proxies: ['::1'] }] }, 'listeners[0].proxies'],
    ];
    for (const [first, second, path] of cases) {
      expect(changesBetween(first, second), path).to.deep.equal({ applied: [], restart: [path] });
    }
  });

  it('need a restart where a listener gets or loses TLS settings of its own', () => {
    const ofOwn = { listeners: [{ ...listener, tls: {} }] };
    const none = { listeners: [listener] };
    const restart = ['cert', 'key', 'ca'].map((name) => `listeners[0].tls.${name}`);
    expect(changesBetween(ofOwn, none)).to.deep.equal({ applied: [], restart });
    expect(changesBetween(none, ofOwn)).to.deep.equal({ applied: [], restart });
  });

  it('are taken up by themselves where others need a restart', () => {
    const before = settings({ tls, listeners: [{ ...listener, proxies: ['::1'] }] });
    const listeners = [{ ...listener, port: 2, proxies: ['::2'] }];
    const after = settings({ tls: { cert: 'x', key: 'y' }, port: 5, drainSeconds: 3, listeners });
    const applied = withApplied(before, findChanges(before, after));
    expect(applied).to.deep.equal({
      ...before,
      tls: { cert: 'x', key: 'y', ca: '' },
      drainSeconds: 3,
      listeners: [{ ...listener, enabled: true, proxies: ['::2'] }],
    });
  });

  it('do not show a password', () => {
    const [change] = findChanges(settings({}), settings({ cluster: { password: 'secret' } }));
    expect(change).to.include({ path: 'cluster.password', was: '(not shown)', is: '(not shown)' });
  });
});
