import { expect } from 'chai';
import { until } from '../server/raw-client.ts';
import { serverForEachTest, startServer } from '../server/running-server.ts';
import { LIMITS, open, resume } from './session-scene.ts';

describe('the limits of sessions', () => {
  const server = serverForEachTest(LIMITS);

  it('has the time-out that is nearest to the one that was asked for, within the limits', async () => {
    const limited = await startServer({ minSessionTimeoutMs: 5_000, maxSessionTimeoutMs: 7_000 });
    const timeouts: number[] = [];
    for (const asked of [0.001, 6, 1_000_000]) timeouts.push((await open(await limited.connect(), asked)).timeout);
    expect(timeouts).to.deep.equal([5, 6, 7]);
  });

  it('is over at once when it has nothing, or when too many are suspended', async () => {
    const witness = await server.connect();
    const idle = await server.connect();
    const session = await open(idle);
    idle.reset();
    for (let count = 1; count <= 4; count += 1) {
      const client = await server.connect();
      await open(client);
      await client.take(`lock-${count}`);
      client.reset();
      await until(async () => {
        const { suspendedSessions, orphans } = await witness.ask('stats');
        return Number(suspendedSessions) + Number(orphans) === count;
      });
    }
    const stats = await witness.ask('stats');
    expect(stats).to.include({ suspendedSessions: 3, orphans: 1 });
    expect(stats.refusals).to.include({ maxSuspendedSessions: 1 });
    expect(await resume(await server.connect(), session)).to.include({ state: 'gone' });
  });

  it('lists no more than the limits allow', async () => {
    const session = await open(await server.connect());
    const holds = Array.from({ length: 10_001 }, (_, index) => index + 1);
    const client = await server.connect();
    for (const [has, limit] of [
      [{ holds }, 'maxLocksPerSession'],
      [{ requests: holds }, 'maxPendingRequests'],
    ] as const) {
      const { id, secret } = session;
      expect(await client.ask('hello', { protocol: 1, session: { id, secret, ...has } })).to.deep.equal({
        status: 'limit',
        limit,
        value: 10_000,
      });
    }
  });

  for (const [limit, value] of [
    ['maxMessageValues', 25],
    ['maxMessageBytes', 1_000 + 17 * 5],
  ] as const) {
    it(`let one have as many locks as its client can list within ${limit}`, async () => {
      const limited = await startServer({ ...LIMITS, [limit]: value });
      const [client, sessionless] = await limited.connectTwo();
      const session = await open(client);
      const tokens: number[] = [];
      for (let count = 0; count < 5; count += 1) tokens.push(await client.take(`lock ${count}`));
      const refusal = { status: 'limit', limit: 'maxLocksPerSession', value: 5 };
      expect(await client.ask('lock', { lockName: 'one more' })).to.deep.equal(refusal);
      const several = { locks: [{ lockName: 'one more' }, { lockName: 'lock 0' }] };
      expect(await client.ask('lockAll', several)).to.deep.equal(refusal);
      expect(await resume(await limited.connect(), session, { holds: tokens })).to.include({ state: 'resumed' });
      for (let count = 0; count < 6; count += 1) await sessionless.take(`own ${count}`);
    });
  }
});
