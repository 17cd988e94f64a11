import { expect } from 'chai';
import { PrefixedClient } from '../protocols/prefixed-client.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { granted } from './answers.ts';
import { endTest } from './clean-up.ts';
import { addressOf } from './raw-client.ts';
import { type RunningServer, startServer } from './running-server.ts';

describe('a lock that is taken away', () => {
  let log: RecordingLogger;
  let server: RunningServer;

  beforeEach(async () => {
    log = new RecordingLogger();
    server = await startServer({}, log, { forceUnlock: true });
  });
  afterEach(endTest);

  it('is logged after forceUnlock with the client that asked, the lock and its holders', async () => {
    const [holder, admin] = await server.connectTwo();
    await holder.ask('identify', { name: 'import' });
    await admin.ask('identify', { name: 'Ann' });
    await holder.take('jobs', { mode: 'shared', owner: 'x' });
    await admin.take('jobs', { mode: 'shared' });
    admin.send({ command: 'forceUnlock', parameters: { lockName: 'jobs' }, id: 1 });
    expect(await admin.next()).to.include({ event: 'lost', reason: 'forced' });
    expect(await admin.next()).to.deep.equal({ id: 1, result: { status: 'ok', released: 2 } });
    const client = { name: 'Ann', address: addressOf(admin) };
    const holders = [
      { owner: 'x', name: 'import', address: addressOf(holder), mode: 'shared', token: 1 },
      { owner: '', name: 'Ann', address: addressOf(admin), mode: 'shared', token: 2 },
    ];
    const details = { by: 'forceUnlock', client, lockName: 'jobs', count: 2, holders };
    const message = 'a lock was taken away from its holders';
    expect(log.at('warn')).to.deep.equal([{ level: 'warn', message, details }]);
  });

  it('is logged after a steal in the same way, and the answer does not mention it', async () => {
    const [holder, thief] = await server.connectTwo();
    await holder.take('jobs', { stealable: true });
    expect(await thief.ask('lock', { lockName: 'jobs', steal: true })).to.deep.equal(granted(2));
    expect(log.at('warn')).to.deep.equal([]);
    const client = { name: '', address: addressOf(thief) };
    const holders = [{ owner: '', name: '', address: addressOf(holder), mode: 'exclusive', token: 1 }];
    expect(log.at('info').map(({ details }) => details)).to.deep.equal([
      { by: 'steal', client, lockName: 'jobs', count: 1, holders },
    ]);
  });

  it('is not logged if nobody held it, or if the request was denied', async () => {
    const logOfOther = new RecordingLogger();
    const other = await startServer({}, logOfOther);
    const [first, second] = [await other.connect(), await other.connect()];
    await first.take('jobs', { steal: true });
    expect(await first.ask('lock', { lockName: 'jobs', steal: true })).to.include({ alreadyHeld: true });
    expect(await second.ask('lock', { lockName: 'jobs', steal: true })).to.deep.equal({ status: 'denied' });
    expect(await second.ask('forceUnlock', { lockName: 'jobs' })).to.deep.equal({ status: 'denied' });
    expect([...logOfOther.at('info'), ...logOfOther.at('warn')]).to.deep.equal([]);
    const client = await server.connect();
    expect(await client.ask('forceUnlock', { lockName: 'jobs' })).to.deep.equal({ status: 'ok', released: 0 });
    expect(log.at('warn')).to.deep.equal([]);
  });

  it('is logged with its first hundred holders, and each of 250 holders gets the event', async () => {
    const [holder, admin] = await server.connectTwo();
    for (let index = 0; index < 250; index += 1) await holder.take('jobs', { mode: 'shared', owner: `${index}` });
    await admin.queue(1, 'jobs');
    admin.send({ command: 'forceUnlock', parameters: { lockName: 'jobs' }, id: 2 });
    expect(await admin.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 251, count: 1 } });
    expect(await admin.next()).to.deep.equal({ id: 2, result: { status: 'ok', released: 250 } });
    for (let index = 0; index < 250; index += 1) {
      const lost = await holder.next();
      expect(lost).to.include({ event: 'lost', reason: 'forced', owner: `${index}`, token: index + 1 });
    }
    const [entry] = log.at('warn');
    expect(entry?.details).to.include({ count: 250 });
    expect(entry?.details.holders).to.have.lengthOf(100);
  });

  it('is logged with the beginning of a long name', async () => {
    const [holder, admin] = await server.connectTwo();
    await holder.take('n'.repeat(10_000));
    await admin.ask('forceUnlock', { lockName: 'n'.repeat(10_000) });
    expect(log.at('warn')[0]?.details.lockName).to.equal('n'.repeat(256));
  });

  it('by steal cannot fill the log: each lock is logged once, and further steals are counted', async () => {
    const [one, other] = await server.connectTwo();
    await one.take('jobs', { stealable: true });
    await one.take('other', { stealable: true });
    for (let times = 0; times < 99; times += 1) {
      const [thief, victim] = times % 2 === 0 ? [other, one] : [one, other];
      await thief.take('jobs', { steal: true, stealable: true });
      expect(await victim.next()).to.include({ event: 'lost' });
    }
    await other.take('other', { steal: true });
    expect(log.at('info').map(({ details }) => details.lockName)).to.deep.equal(['jobs', 'other']);
    const address = addressOf(other);
    await server.server.close();
    expect(log.at('info').slice(2)).to.deep.equal([
      {
        level: 'info',
        message: `98 more times within a minute a lock was taken away (steal), the last time by ${address}`,
        details: { by: 'steal', times: 98, client: { name: '', address }, lockName: 'jobs' },
      },
    ]);
  });

  it('by forceUnlock is logged for ten locks within a minute, and the others are counted', async () => {
    const [holder, admin] = await server.connectTwo();
    for (let index = 0; index < 30; index += 1) {
      await holder.take(`lock ${index}`);
      await admin.ask('forceUnlock', { lockName: `lock ${index}` });
      expect(await holder.next()).to.include({ event: 'lost' });
    }
    expect(log.at('warn')).to.have.lengthOf(10);
    await server.server.close();
    const last = log.at('warn')[10];
    expect(last?.message).to.include('20 more times within a minute a lock was taken away (forceUnlock)');
    expect(last?.details).to.include({ by: 'forceUnlock', times: 20, lockName: 'lock 29' });
    expect(log.at('warn')).to.have.lengthOf(11);
  });

  it('sends pkLockServer clients no event, and their unlock finds nothing', async () => {
    const client = await PrefixedClient.connect(server.port);
    await client.take('jobs', 1);
    await client.take('other', 2);
    const admin = await server.connect();
    expect(await admin.ask('forceUnlock', { lockName: 'jobs' })).to.deep.equal({ status: 'ok', released: 1 });
    await admin.take('other', { steal: true });
    await client.release('jobs', 'notFound');
    await client.release('other', 'notFound');
    await client.settle();
    client.socket.destroy();
    await admin.ask('unlock', { lockName: 'other' });
    expect(await admin.ask('stats')).to.include({ forced: 1, stolen: 1, orphans: 0, releases: 1, holders: 0 });
  });
});
