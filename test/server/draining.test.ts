import { expect } from 'chai';
import { FullLockServer } from '../../lib/foreign/full-lock-server.ts';
import { type Clock, systemClock } from '../../lib/server/clock.ts';
import { LocalLockManager } from '../../lib/server/local-lock-manager.ts';
import { DEFAULT_LOCK_SERVER_LIMITS } from '../../lib/server/lock-server-limits.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { errorOf } from '../support/rejection.ts';
import { RawClient } from './raw-client.ts';
import { LOOPBACK, serverForEachTest } from './running-server.ts';

/** Longer than any test. */
const LONG_MS = 3_600_000;

describe('a server that is closed', () => {
  const server = serverForEachTest();

  it('answers draining to all waiting requests', async () => {
    const [holder, first, second] = await server.connectThree();
    await holder.take('a');
    await holder.take('b', { mode: 'permit' });
    await first.queue(1, 'a');
    await first.queue('again', 'a');
    await second.queue(2, 'b', { mode: 'permit', limit: 1 });
    void server.server.close({ drainMs: LONG_MS });
    expect(await first.next()).to.deep.equal({ id: 1, result: { status: 'draining' } });
    expect(await first.next()).to.deep.equal({ id: 'again', result: { status: 'draining' } });
    expect(await second.next()).to.deep.equal({ id: 2, result: { status: 'draining' } });
    expect(await holder.ask('stats')).to.include({ holders: 2, waiting: 0 });
  });

  it('still renews leases, and answers every command that takes no lock', async () => {
    const holder = await server.connect();
    await holder.take('held', { lease: 1_000 });
    await startToDrain(holder);
    expect(await holder.ask('lock', { lockName: 'held', lease: 1_000 })).to.include({
      status: 'ok',
      alreadyHeld: true,
    });
    for (const [command, parameters] of [
      ['inspect', { lockName: 'held' }],
      ['verify', { lockName: 'held', token: 1 }],
      ['list'],
      ['stats'],
      ['ping'],
      ['whoami'],
      ['identify', { name: 'x' }],
      ['who'],
      ['hello', { protocol: 1 }],
      ['cancel', { id: 1 }],
      ['unlockAll', { owner: 'none' }],
    ] as const) {
      expect(await holder.ask(command, parameters), command).to.include({ status: 'ok' });
    }
  });

  it('serves unlock, and closes all connections when the last lock is released', async () => {
    const [first, second, idle] = await server.connectThree();
    await first.take('a');
    await second.take('b', { mode: 'permit' });
    const closed = startToDrain(first).then(({ closed }) => closed);
    await first.settle();
    expect(await first.ask('unlock', { lockName: 'a' })).to.deep.equal({ status: 'ok', count: 0 });
    await idle.settle();
    expect(await second.ask('unlock', { lockName: 'b', mode: 'permit' })).to.deep.equal({ status: 'ok', count: 0 });
    await closed;
    await Promise.all([first.closed, second.closed, idle.closed]);
    expect(idle.unreadCount).to.equal(0);
  });

  for (const [event, parameters, end] of [
    ['holder goes away', {}, async (holder: RawClient) => holder.reset()],
    [
      'lease is over',
      { lease: 0.1 },
      async (holder: RawClient) => expect(await holder.next()).to.include({ event: 'lost', reason: 'lease' }),
    ],
  ] as const) {
    it(`closes when the last ${event}`, async () => {
      const [holder, idle] = await server.connectTwo();
      await holder.take('a', parameters);
      const { closed } = await startToDrain(idle);
      await end(holder);
      await closed;
      await Promise.all([holder.closed, idle.closed]);
    });
  }

  it('closes at once without a drain time, and answers the waiters', async () => {
    const [holder, waiter] = await server.connectWaiter('a');
    await server.server.close();
    expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'draining' } });
    await Promise.all([holder.closed, waiter.closed]);
  });

  it('closes once: a second call waits for the first', async () => {
    const holder = await server.connect();
    await holder.take('a');
    const { closed } = await startToDrain(holder);
    let second: 'waiting' | 'done' = 'waiting';
    const again = server.server.close().then(() => {
      second = 'done';
    });
    await holder.settle();
    expect(second).to.equal('waiting');
    await holder.ask('unlock', { lockName: 'a' });
    await Promise.all([closed, again]);
  });

  it('stops the timer of its locks even if a listener cannot be closed', async () => {
    const timers = new Set<() => void>();
    const clock: Clock = {
      ...systemClock,
      startTimeout(delayMs, callback) {
        const stop = systemClock.startTimeout(delayMs, callback);
        timers.add(stop);
        return () => {
          timers.delete(stop);
          stop();
        };
      },
    };
    const failing = new FullLockServer({
      manager: new LocalLockManager({ limits: DEFAULT_LOCK_SERVER_LIMITS, clock }),
    });
    await failing.listen({ open: () => Promise.resolve(''), close: () => Promise.reject(new Error('still open')) });
    const holder = await RawClient.connect(await failing.listen(tcp(LOOPBACK)));
    await holder.take('a', { lease: LONG_MS });
    expect(timers).to.have.length(1);
    expect(await errorOf(failing.close())).to.have.property('message', 'still open');
    expect(timers).to.have.length(0);
  });

  /** Returns once the server drains; `closed` resolves when it has closed. */
  async function startToDrain(client: RawClient): Promise<{ readonly closed: Promise<void> }> {
    const closed = server.server.close({ drainMs: LONG_MS });
    const probe = await client.ask('lock', { lockName: 'probe' });
    expect(probe).to.deep.equal({ status: 'draining' });
    return { closed };
  }
});
