import { expect } from 'chai';
import type { EtcdClient } from '../../../lib/ledger/etcd/etcd-client.ts';
import { EtcdError } from '../../../lib/ledger/etcd/etcd-error.ts';
import { type EtcdLedgerOptions, openEtcdLedger } from '../../../lib/ledger/etcd/etcd-ledger.ts';
import type { Ledger } from '../../../lib/ledger/ledger.ts';
import { LedgerError } from '../../../lib/ledger/ledger-error.ts';
import { needs } from '../../foreign/system-program.ts';
import { endTest, whenTestEnds } from '../../server/clean-up.ts';
import { until } from '../../server/raw-client.ts';
import { type Etcd, startEtcd } from '../../support/etcd.ts';
import { HoldingProxy } from '../../support/holding-proxy.ts';
import { rejects } from '../../support/rejection.ts';
import { CLOCK, idsAtStart, RecordingReport, session, take } from '../ledger-scene.ts';

const DAY_MS = 86_400_000;
const BLOCK_SIZE = 64;

describe('a ledger in etcd', () => {
  let etcd: Etcd;
  let client: EtcdClient;
  let prefix: string;
  let testCount = 0;

  before(async function () {
    needs(this, 'etcd', 'etcdctl');
    etcd = await startEtcd();
    client = await etcd.client();
  });
  beforeEach(() => {
    testCount += 1;
    prefix = `test ${testCount}/`;
  });
  afterEach(endTest);
  after(() => etcd?.stop());

  interface Opened extends Ledger {
    readonly report: RecordingReport;
    readonly deposed: () => number;
  }

  /** Deletes the leader's key, if there is one, and makes another. Resolves to its epoch. */
  async function elect(): Promise<number> {
    const key = `${prefix}leader`;
    await client.txn({ compare: [], success: [{ kind: 'delete', key }] });
    return (await client.txn({ compare: [], success: [{ kind: 'put', key, value: 'me' }] })).revision;
  }

  /** Opens the ledger for another leader. */
  async function lead(options: Partial<EtcdLedgerOptions> = {}): Promise<Opened> {
    const leader = { key: `${prefix}leader`, epoch: await elect() };
    const report = new RecordingReport();
    let deposedCount = 0;
    const onDeposed = (): void => {
      deposedCount += 1;
    };
    const own = { client, prefix, leader, leaseMs: 5_000, nowMs: CLOCK, report, onDeposed, blockSize: BLOCK_SIZE };
    const ledger = await openEtcdLedger({ ...own, ...options });
    whenTestEnds(() => ledger.close());
    return Object.assign(ledger, { report, deposed: () => deposedCount });
  }

  async function keysUnder(name: string): Promise<string[]> {
    const { entries } = await client.range(prefix + name, { isPrefix: true });
    return entries.map(({ key }) => key.slice(prefix.length));
  }

  it('keeps its lineage, and another prefix has another', async () => {
    const first = await lead();
    expect(first.isDurable).to.equal(true);
    expect((await lead()).lineage).to.equal(first.lineage);
    prefix = `${prefix}other/`;
    expect((await lead()).lineage).to.not.equal(first.lineage);
  });

  it('L1: gives greater tokens after each fail-over, though the clock was set back', async () => {
    let last = 0;
    for (const nowMs of [CLOCK, CLOCK - DAY_MS, 0, CLOCK - 1]) {
      const { tokens } = await lead({ nowMs });
      expect(tokens.begin).to.be.at.least(last);
      // More than two blocks, and no word to the ledger that this leader has ended.
      for (let count = 0; count < 3 * BLOCK_SIZE; count += 1) {
        if (!tokens.has(1)) await new Promise<void>((resolve) => tokens.onRefill(resolve));
        last = tokens.next();
      }
    }
    expect(last).to.be.greaterThan(CLOCK * 1_000 + 11 * BLOCK_SIZE);
  });

  it('L2, L3, L4: lists sessions with their losses until they have ended', async () => {
    const first = await lead();
    const { sessions } = first;
    // Many more than fit into one transaction.
    const ids = Array.from({ length: 300 }, (_, index) => `id-${index}`);
    await Promise.all(ids.map((id) => sessions.add(session(id))));
    await sessions.lose('id-0', { token: 7, reason: 'stolen' });
    await Promise.all([sessions.lose('id-1', { token: 8, reason: 'forced' }), sessions.end('id-1')]);
    expect(sessions.end('id-1')).to.equal(undefined);
    const second = await lead();
    expect(idsAtStart(second)).to.have.members(ids.filter((id) => id !== 'id-1'));
    const listed = second.sessions.atStart.find(({ id }) => id === 'id-0');
    expect(listed).to.deep.equal({ ...session('id-0'), losses: [{ token: 7, reason: 'stolen' }] });
    await Promise.all(idsAtStart(second).map((id) => second.sessions.end(id)));
    expect(idsAtStart(await lead())).to.deep.equal([]);
    expect(await keysUnder('losses/')).to.deep.equal([]);
  });

  it('records in their order what becomes of one session, all at once', async () => {
    const { sessions } = await lead();
    const changes = [
      sessions.add(session('first')),
      sessions.add(session('a')),
      sessions.lose('a', { token: 1, reason: 'forced' }),
      sessions.end('a'),
      sessions.add(session('a')),
      sessions.lose('a', { token: 2, reason: 'stolen' }),
    ];
    await Promise.all(changes);
    const { atStart } = (await lead()).sessions;
    const losses = [{ token: 2, reason: 'stolen' }];
    expect(atStart).to.deep.equal([{ ...session('a'), losses }, session('first')]);
  });

  it('L3: drops losses after the time-out of their session', async () => {
    const { sessions } = await lead();
    await sessions.add({ ...session('a'), timeoutMs: 1 });
    // More than one write can drop.
    const tokens = Array.from({ length: 150 }, (_, index) => index);
    await Promise.all(tokens.map((token) => sessions.lose('a', { token, reason: 'lease' })));
    for (let token = 150; (await keysUnder('losses/')).some((key) => Number(key.slice(9)) < 150); token += 1) {
      await sessions.lose('a', { token, reason: 'lease' });
    }
  });

  it('C2: has sessions awaited for the lease of the leader before in addition', async () => {
    expect((await lead({ leaseMs: 7_000 })).sessions.extraWaitMs).to.equal(7_000);
  });

  it('L4: does not open with a key that is damaged or missing', async () => {
    await (await lead()).sessions.add(session('a'));
    const key = `${prefix}sessions/a`;
    for (const value of ['no json', '1', '{"secretHash":"x"}']) {
      await client.txn({ compare: [], success: [{ kind: 'put', key, value }] });
      const error = await rejects(lead(), LedgerError, { code: 'unreadable' });
      expect(error.message).to.include(key);
    }
    await client.txn({ compare: [], success: [{ kind: 'delete', key }] });
    await lead();
    await client.txn({ compare: [], success: [{ kind: 'delete', key: `${prefix}lineage` }] });
    const { message } = await rejects(lead(), LedgerError, { code: 'unreadable' });
    expect(message).to.equal(`etcd's key ${prefix}lineage is missing, but others of the ledger are there`);
  });

  it('C4: neither reserves nor records nor saves anything after another server leads', async () => {
    const first = await lead();
    await first.sessions.add(session('before'));
    // The next leader has been elected, and has not written anything yet.
    await elect();
    let answers = 0;
    const answered = (): void => {
      answers += 1;
    };
    first.tokens.onRefill(answered);
    for (const asked of [
      first.sessions.add(session('late')),
      first.sessions.end('before'),
      first.savedStop.save({ late: true }),
      first.confirmLead?.(),
    ]) {
      void asked?.then(answered, answered);
    }
    while (first.tokens.has(1)) first.tokens.next();
    await until(() => first.deposed() === 1);
    await first.close();
    expect([answers, first.deposed(), first.tokens.has(1)]).to.deep.equal([0, 1, false]);
    expect(await keysUnder('sessions/')).to.deep.equal(['sessions/before']);
    expect(await keysUnder('stop/')).to.deep.equal([]);
    const second = await lead();
    expect(take(second, 1)).to.be.greaterThan(first.tokens.last);
  });

  it('C4: does not open for a server that does not lead any more', async () => {
    const stale = await elect();
    await lead();
    await new Promise<void>((onDeposed) => {
      const leader = { key: `${prefix}leader`, epoch: stale };
      void openEtcdLedger({
        client,
        prefix,
        leader,
        leaseMs: 1,
        nowMs: CLOCK,
        report: new RecordingReport(),
        onDeposed,
      });
    });
  });

  it('C3: confirms that it leads, until it does not', async () => {
    const ledger = await lead();
    await Promise.all([ledger.confirmLead?.(), ledger.confirmLead?.()]);
    expect(ledger.deposed()).to.equal(0);
    await client.txn({ compare: [], success: [{ kind: 'delete', key: `${prefix}leader` }] });
    let answers = 0;
    void ledger.confirmLead?.().then(() => {
      answers += 1;
    });
    await until(() => ledger.deposed() === 1);
    await ledger.close();
    expect(answers).to.equal(0);
  });

  it('gives the next leader what a planned stop has saved, once', async () => {
    // Many parts, and letters and names that JSON must not lose at their borders.
    const state = { text: 'é😀\ud800'.repeat(100_000), locks: [{ name: 'a', holder: null }] };
    const first = await lead();
    expect(await first.savedStop.take()).to.equal(undefined);
    await first.savedStop.save({ older: true });
    await first.savedStop.save(state);
    const second = await lead();
    expect(await second.savedStop.take()).to.deep.equal(state);
    expect(await second.savedStop.take()).to.equal(undefined);
    expect(await keysUnder('stop/')).to.deep.equal([]);
  });

  it('gives nobody but the next leader what a planned stop has saved', async () => {
    await (await lead()).savedStop.save({ older: true });
    await lead();
    expect(await (await lead()).savedStop.take()).to.equal(undefined);
  });

  it('refuses a planned stop that is damaged, and only once', async () => {
    await (await lead()).savedStop.save({ locks: [] });
    await client.txn({ compare: [], success: [{ kind: 'put', key: `${prefix}stop/parts/0`, value: '{"locks":{}}' }] });
    const next = await lead();
    await rejects(next.savedStop.take(), LedgerError, { code: 'unreadable' });
    expect(await next.savedStop.take()).to.equal(undefined);
  });

  it('refuses to save more than 64 MiB', async () => {
    const { savedStop } = await lead();
    await rejects(savedStop.save('x'.repeat(2 ** 26)), LedgerError, { code: 'unusable' });
    expect(await keysUnder('stop/')).to.deep.equal([]);
  });

  describe('behind a network that loses requests and answers', () => {
    let proxy: HoldingProxy;
    let ledger: Opened;

    beforeEach(async () => {
      proxy = await HoldingProxy.start(Number(new URL(etcd.endpoints[0] as string).port));
      whenTestEnds(() => proxy.close());
      ledger = await lead({ client: await etcd.client({ endpoints: [proxy.endpoint] }) });
    });

    it('finds out that a write without an answer was carried out', async () => {
      const held = proxy.hold('answers');
      const added = ledger.sessions.add(session('a'));
      await held;
      proxy.cutClients();
      await added;
      await ledger.sessions.add(session('b'));
      expect(idsAtStart(await lead())).to.deep.equal(['a', 'b']);
      expect(ledger.report.told).to.deep.equal([]);
    });

    it('undoes nothing by a write that is carried out late', async () => {
      const held = proxy.hold('requests');
      const added = ledger.sessions.add(session('late'));
      await held;
      proxy.cutClients();
      await rejects(Promise.resolve(added), EtcdError, { isOutcomeUnknown: true });
      await ledger.sessions.add(session('after'));
      await proxy.release();
      expect(await keysUnder('sessions/')).to.deep.equal(['sessions/after']);
      expect(ledger.report.told).to.have.length(2);
      await ledger.sessions.add(session('late'));
      expect(idsAtStart(await lead())).to.deep.equal(['after', 'late']);
    });

    it('goes on after a write that was carried out before the next, although it was given up', async () => {
      const held = proxy.hold('requests');
      const added = ledger.sessions.add(session('late'));
      await held;
      proxy.cutClients();
      await rejects(Promise.resolve(added), EtcdError, { isOutcomeUnknown: true });
      await proxy.release();
      expect(await keysUnder('sessions/')).to.deep.equal(['sessions/late']);
      // The session was refused, so its end is recorded soon.
      await until(async () => (await keysUnder('sessions/')).length === 0);
      await ledger.sessions.add(session('after'));
      expect(idsAtStart(await lead())).to.deep.equal(['after']);
    });

    it('L1, L2, L3: gives no token past the reservation, takes no session and ends none while etcd is away', async () => {
      await ledger.sessions.add(session('before'));
      proxy.close();
      while (ledger.tokens.has(1)) ledger.tokens.next();
      expect(ledger.tokens.last).to.equal(CLOCK * 1_000 + BLOCK_SIZE);
      await rejects(Promise.resolve(ledger.sessions.add(session('a'))), EtcdError);
      let ended = false;
      void ledger.sessions.end('before')?.then(() => {
        ended = true;
      });
      await rejects(Promise.resolve(ledger.sessions.add(session('b'))), EtcdError, { code: 'unreachable' });
      expect([ended, ledger.tokens.has(1)]).to.deep.equal([false, false]);
      expect(ledger.report.told).to.have.length(2);
      for (const line of ledger.report.told) expect(line).to.include('error: etcd cannot be written: ');
    });
  });
});
