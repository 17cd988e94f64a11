import { expect } from 'chai';
import type { LossRecord, SessionList } from '../../lib/ledger/ledger.ts';
import { MemoryLedger, NO_SESSIONS } from '../../lib/ledger/memory-ledger.ts';
import { makeGate } from '../../lib/message/gate.ts';
import { granted } from '../server/answers.ts';
import { endTest } from '../server/clean-up.ts';
import { type Message, RawClient, until } from '../server/raw-client.ts';
import { listenOnTcp, makeServer } from '../server/running-server.ts';
import { stateForEachTest } from './state-scene.ts';

/** What the server says of a session. */
interface Told {
  readonly id: string;
  readonly secret: string;
}

async function openSession(port: number, timeout = 20): Promise<[RawClient, Told]> {
  const client = await RawClient.connect(port);
  return [client, (await client.ask('hello', { protocol: 1, session: { timeout } })).session as Told];
}

function lockRequest(id: number, parameters: object): object {
  return { command: 'lock', parameters, id };
}

/** Ways to lose the lock `jobs` to others. */
const LOSSES: readonly {
  readonly reason: string;
  readonly terms: object;
  readonly take: (other: RawClient) => Promise<unknown> | undefined;
}[] = [
  { reason: 'forced', terms: {}, take: (other) => other.ask('forceUnlock', { lockName: 'jobs' }) },
  { reason: 'lease', terms: { lease: 0.001 }, take: () => undefined },
  {
    reason: 'stolen',
    terms: { stealable: true },
    take: async (other) => {
      const { status, token } = await other.ask('lock', { lockName: 'jobs', steal: true, owner: 'thief' });
      if (status === 'ok') await other.ask('unlock', { token });
    },
  },
];

describe('L3: what a session has lost', () => {
  let port: number;
  /** Ends the recording. */
  let recorded: () => void;
  let losses: [string, LossRecord][];
  let ends: string[];

  beforeEach(async () => {
    const gate = makeGate();
    recorded = gate.resolve;
    losses = [];
    ends = [];
    const sessions: SessionList = {
      ...NO_SESSIONS,
      lose: (id, loss) => {
        losses.push([id, loss]);
        return gate.promise;
      },
      end: (id) => {
        ends.push(id);
        return gate.promise;
      },
    };
    const ledger = Object.assign(new MemoryLedger(0), { sessions, isDurable: true });
    const limits = { minSessionTimeoutMs: 1, maxSuspendedSessions: 1 };
    port = await listenOnTcp(makeServer({ limits, ledger, forceUnlock: true }));
  });
  afterEach(endTest);

  for (const { reason, terms, take } of LOSSES) {
    it(`is on record before another is granted it: ${reason}`, async () => {
      const [holder, { id }] = await openSession(port);
      const [waiter, other] = [await RawClient.connect(port), await RawClient.connect(port)];
      const token = await holder.take('jobs', terms);
      if (reason !== 'lease') await waiter.queue(1, 'jobs');
      let isTaken = false;
      const taken = take(other)?.then(() => {
        isTaken = true;
      });
      expect(await holder.next()).to.deep.include({ event: 'lost', token, reason });
      expect(losses).to.deep.equal([[id, { token, reason }]]);
      // Everything else goes on.
      const witness = await RawClient.connect(port);
      const locks = [{ lockName: 'jobs' }, { lockName: 'more' }];
      expect(await witness.ask('lock', { lockName: 'jobs', timeLimit: 0 })).to.deep.equal({ status: 'unavailable' });
      expect(await witness.ask('lockAll', { locks, timeLimit: 0 })).to.deep.equal({ status: 'unavailable' });
      await witness.take('another');
      if (reason === 'lease') await waiter.queue(1, 'jobs');
      await waiter.settle();
      if (reason === 'stolen') expect(isTaken).to.equal(false);
      recorded();
      expect(await waiter.next())
        .to.deep.include({ id: 1 })
        .and.nested.include({ 'result.status': 'ok' });
      await taken;
    });
  }

  it('is not waited for where no session has lost anything', async () => {
    const [holder, waiter, other] = [
      await RawClient.connect(port),
      await RawClient.connect(port),
      await RawClient.connect(port),
    ];
    await holder.take('jobs');
    await waiter.queue(1, 'jobs');
    await other.ask('forceUnlock', { lockName: 'jobs' });
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(2) });
    expect(await other.ask('lock', { lockName: 'jobs', steal: true, owner: 'x' })).to.deep.equal({
      status: 'ok',
      token: 3,
      count: 1,
    });
    expect(losses).to.deep.equal([]);
  });

  it('lets in all whom it kept waiting: a lockAll, and permits without limit behind others', async () => {
    const [holder] = await openSession(port);
    const [limited, unlimited, several, other] = [
      await RawClient.connect(port),
      await RawClient.connect(port),
      await RawClient.connect(port),
      await RawClient.connect(port),
    ];
    await holder.take('jobs', { mode: 'permit', lease: 0.001 });
    await holder.next();
    await other.take('free');
    const locks = [{ lockName: 'jobs', mode: 'permit', limit: 5 }, { lockName: 'free' }];
    several.send({ command: 'lockAll', parameters: { locks }, id: 1 });
    await several.settle();
    await other.ask('unlock', { lockName: 'free' });
    await several.settle();
    await unlimited.queue(1, 'jobs', { mode: 'permit' });
    await limited.queue(1, 'jobs', { mode: 'permit', limit: 1 });
    await unlimited.queue(2, 'jobs', { mode: 'permit', owner: 'behind' });
    recorded();
    for (const id of [1, 2]) expect(await unlimited.next()).to.deep.include({ id });
    expect(await several.next()).to.nested.include({ id: 1, 'result.status': 'ok' });
    await limited.settle();
  });

  it('is on record also when hundreds of others lose the lock before', async () => {
    const [last, { id }] = await openSession(port);
    const [others, waiter] = [await RawClient.connect(port), await RawClient.connect(port)];
    const shared = { lockName: 'jobs', mode: 'shared' };
    others.send(...Array.from({ length: 500 }, (_, index) => lockRequest(index, { ...shared, owner: `${index}` })));
    await others.nextMany(500);
    const token = await last.take('jobs', shared);
    await waiter.queue(1, 'jobs');
    await waiter.ask('forceUnlock', { lockName: 'jobs' });
    expect(losses).to.deep.equal([[id, { token, reason: 'forced' }]]);
    await waiter.settle();
    recorded();
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(token + 1) });
  });

  it('is given up by a thief who comes back on another connection before that', async () => {
    const [holder] = await openSession(port);
    const [thief, { id, secret }] = await openSession(port);
    await holder.take('jobs', { stealable: true });
    thief.send({ command: 'lock', parameters: { lockName: 'jobs', steal: true }, id: 7 });
    await holder.next();
    const back = await RawClient.connect(port);
    const { session } = await back.ask('hello', { protocol: 1, session: { id, secret, requests: [7] } });
    expect(session).to.deep.include({ answers: [], unknown: [7] });
    back.send({ command: 'lock', parameters: { lockName: 'jobs', steal: true }, id: 8 });
    const witness = await RawClient.connect(port);
    await until(async () => (await witness.ask('inspect', { lockName: 'jobs' })).holderCount === 1);
    expect(back.unreadCount).to.equal(0);
    recorded();
    expect(await back.next()).to.nested.include({ id: 8, 'result.status': 'ok' });
  });

  it('is also what a client held that could not be suspended', async () => {
    const [first] = await openSession(port);
    const [second, { id }] = await openSession(port);
    const waiter = await RawClient.connect(port);
    await first.take('a');
    await second.take('b');
    await waiter.queue(1, 'b');
    first.reset();
    await until(async () => (await waiter.ask('stats')).suspendedSessions === 1);
    second.reset();
    await until(() => ends.length > 0);
    expect(ends).to.deep.equal([id]);
    expect(await waiter.ask('stats')).to.include({ holders: 2, waiting: 1 });
    recorded();
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(3) });
  });
});

describe('L3: a server with a state directory that is killed', () => {
  const scene = stateForEachTest();

  for (const { reason, terms, take } of LOSSES) {
    it(`gives nothing back that another has had since: ${reason}`, async () => {
      await scene.start();
      const [holder, { id, secret }] = await openSession(scene.port);
      const [kept, token] = [await holder.take('kept'), await holder.take('jobs', terms)];
      const [next] = await openSession(scene.port);
      await take(next);
      await next.take('jobs');
      // The next holder has gone, so nobody else claims the lock.
      await next.leave();
      scene.crash();
      await scene.start();
      const back = await RawClient.connect(scene.port);
      const { session } = await back.ask('hello', { protocol: 1, session: { id, secret } });
      expect(session).to.include({ state: 'reclaim' });
      const holds = [
        { lockName: 'kept', token: kept },
        { lockName: 'jobs', token },
      ];
      const lost: readonly Message[] = [{ token, reason }];
      expect(await back.ask('reclaim', { holds, last: true })).to.deep.equal({ status: 'ok', lost });
      expect(await back.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 0 });
      expect(await back.ask('inspect', { lockName: 'kept' })).to.include({ holderCount: 1 });
    });
  }
});
