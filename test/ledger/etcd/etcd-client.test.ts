import { expect } from 'chai';
import { EtcdClient, type WatchEvent } from '../../../lib/ledger/etcd/etcd-client.ts';
import { EtcdError } from '../../../lib/ledger/etcd/etcd-error.ts';
import { orMissing } from '../../../lib/ledger/etcd/etcd-messages.ts';
import { LedgerError } from '../../../lib/ledger/ledger-error.ts';
import { needs } from '../../foreign/system-program.ts';
import { until } from '../../server/raw-client.ts';
import { type Etcd, startEtcd } from '../../support/etcd.ts';
import { freePort } from '../../support/free-port.ts';
import { HoldingProxy } from '../../support/holding-proxy.ts';
import { rejects } from '../../support/rejection.ts';

const PUT = { kind: 'put', key: 'a', value: 'one' } as const;

describe('a client of etcd', () => {
  let etcd: Etcd;
  let client: EtcdClient;

  before(async function () {
    needs(this, 'etcd', 'etcdctl');
    etcd = await startEtcd();
    client = await etcd.client();
  });
  beforeEach(async () => {
    await client.txn({ compare: [], success: [{ kind: 'delete', key: 'a', isPrefix: true }] });
  });
  after(() => etcd?.stop());

  function put(key: string, value: string): ReturnType<EtcdClient['txn']> {
    return client.txn({ compare: [], success: [{ kind: 'put', key, value }] });
  }

  /** Collects what a watch tells. */
  function watch(key: string, fromRevision: number): { events: WatchEvent[]; errors: EtcdError[]; stop: () => void } {
    const [events, errors]: [WatchEvent[], EtcdError[]] = [[], []];
    const listener = {
      changed: (more: readonly WatchEvent[]) => void events.push(...more),
      failed: (error: EtcdError) => void errors.push(error),
    };
    return { events, errors, stop: client.watch({ key, isPrefix: true, fromRevision }, listener) };
  }

  it('carries out a transaction if what it compares is true, and the other one if not', async () => {
    const once = { compare: [{ key: 'a', createRevision: 0 }], success: [PUT] };
    const failure = [{ kind: 'range', key: 'a' }] as const;
    const first = await client.txn({ ...once, failure });
    expect(first).to.deep.include({ succeeded: true, results: [{ kind: 'put' }] });
    const second = await client.txn({ ...once, failure });
    const { revision } = first;
    const entry = { key: 'a', value: 'one', createRevision: revision, modRevision: revision, lease: '0' };
    expect(second).to.deep.include({ succeeded: false, results: [{ kind: 'range', entries: [entry] }] });
    const changed = await client.txn({ compare: [{ key: 'a', modRevision: revision }], success: [PUT] });
    expect(changed).to.include({ succeeded: true, revision: revision + 1, clusterId: first.clusterId });
    const removal = { kind: 'delete', key: 'a' } as const;
    expect(await client.txn({ compare: [{ key: 'a', modRevision: revision }], success: [removal] })).to.include({
      succeeded: false,
    });
    const results = [{ kind: 'delete', deletedCount: 1 }];
    const removed = await client.txn({ compare: [{ key: 'a', createRevision: revision }], success: [removal] });
    expect(removed).to.deep.include({ succeeded: true, results });
  });

  it('reads all keys that begin like one, page by page', async () => {
    const keys = ['a/1', 'a/2', 'a/é', 'a0'];
    const success = keys.map((key) => ({ kind: 'put', key, value: `value of ${key}` }) as const);
    await client.txn({ compare: [], success });
    const first = await client.range('a/', { isPrefix: true, limit: 2 });
    expect(first.entries.map(({ key }) => key)).to.deep.equal(['a/1', 'a/2']);
    expect(first.isMore).to.equal(true);
    const second = await client.range('a/', { isPrefix: true, limit: 2, after: 'a/2' });
    expect(second.entries.map(({ key, value }) => [key, value])).to.deep.equal([['a/é', 'value of a/é']]);
    expect(second.isMore).to.equal(false);
    expect((await client.range('a')).entries).to.deep.equal([]);
  });

  it('keeps a lease alive, and revokes it with its keys', async () => {
    const { id, ttlSeconds } = await client.grantLease(60);
    expect(ttlSeconds).to.equal(60);
    await client.txn({ compare: [], success: [{ ...PUT, lease: id }] });
    expect((await client.range('a')).entries[0]).to.include({ lease: id });
    const [beforeMs, beforeWallMs] = [performance.now(), Date.now()];
    const answers = await Promise.all([client.keepAlive(id), client.keepAlive(id)]);
    for (const { ttlSeconds: left, sentMs, sentWallMs } of answers) {
      expect(left).to.equal(60);
      expect(sentMs).to.be.within(beforeMs, performance.now());
      expect(sentWallMs).to.be.within(beforeWallMs, Date.now());
    }
    await client.revokeLease(id);
    expect((await client.range('a')).entries).to.deep.equal([]);
    expect(await client.keepAlive(id)).to.include({ ttlSeconds: 0 });
    await client.revokeLease(id);
    const late = client.txn({ compare: [], success: [{ ...PUT, lease: id }] });
    await rejects(late, EtcdError, { code: 'failed', isOutcomeUnknown: false });
  });

  it('tells of changes from a revision on, until the watch is stopped', async () => {
    const { revision } = await put('a', 'one');
    await client.txn({ compare: [], success: [{ kind: 'delete', key: 'a' }] });
    const first = watch('a', revision);
    await until(() => first.events.length === 2);
    const told = first.events.map((event) => [event.type, event.entry.key, event.entry.value, event.revision]);
    expect(told).to.deep.equal([
      ['put', 'a', 'one', revision],
      ['delete', 'a', '', revision + 1],
    ]);
    first.stop();
    const second = watch('a', revision + 2);
    await put('a', 'two');
    await until(() => second.events.length === 1);
    second.stop();
    expect([first.events.length, first.errors, second.errors]).to.deep.equal([2, [], []]);
  });

  it('says that a watch is compacted', async () => {
    const { revision } = await put('a', 'one');
    await put('a', 'two');
    etcd.control('compaction', String(revision + 1));
    const { events, errors } = watch('a', revision);
    await until(() => errors.length === 1);
    expect(errors[0]).to.include({ code: 'compacted' });
    expect(errors[0]?.message).to.include(`keeps nothing from before revision ${revision + 1}`);
    expect(events).to.deep.equal([]);
  });

  it('tells each answer of the cluster, with the revision that was known before', async () => {
    const told: (readonly [number, number])[] = [];
    client.onAnswer = ({ revision }, known) => told.push([revision, known]);
    const { revision } = await put('a', 'one');
    await put('a', 'two');
    client.onAnswer = undefined;
    expect(told).to.deep.equal([
      [revision, revision - 1],
      [revision + 1, revision],
    ]);
  });

  it('tells the version and the size of the etcd', async () => {
    const status = await client.status();
    expect(status).to.deep.include({ endpoint: etcd.endpoints[0], isLeaderKnown: true, errors: [] });
    expect(status.version).to.match(/^3\.\d+\.\d+$/);
    expect(status.dbBytes).to.be.greaterThan(0);
  });

  it('uses the next endpoint when one refuses connections', async () => {
    const dead = `http://127.0.0.1:${await freePort()}`;
    const other = await etcd.client({ endpoints: [dead, ...etcd.endpoints] });
    expect(other.endpoint).to.equal(dead);
    expect(await other.txn({ compare: [], success: [PUT] })).to.include({ succeeded: true });
    expect(other.endpoint).to.equal(etcd.endpoints[0]);
  });

  it('dials anew when a connection answers nothing any more', async () => {
    const proxy = await HoldingProxy.start(Number(new URL(etcd.endpoints[0] as string).port));
    const other = await etcd.client({ endpoints: [proxy.endpoint], timeoutMs: 300 });
    const { id } = await other.grantLease(60);
    for (const ask of [() => other.range('a'), () => other.keepAlive(id)]) {
      await ask();
      proxy.silence();
      await rejects(ask(), EtcdError, { code: 'timeout' });
      await ask();
    }
    other.close();
    proxy.close();
  });

  it('says that etcd cannot be reached', async () => {
    const dead = `http://127.0.0.1:${await freePort()}`;
    const other = await etcd.client({ endpoints: [dead] });
    const expected = { code: 'unreachable', isOutcomeUnknown: false };
    const { message } = await rejects(other.txn({ compare: [], success: [PUT] }), EtcdError, expected);
    expect(message).to.match(
      new RegExp(`^etcd at ${dead} cannot be reached: connect ECONNREFUSED 127\\.0\\.0\\.1:\\d+$`),
    );
    await rejects(other.keepAlive('1'), EtcdError, expected);
    const errors: EtcdError[] = [];
    other.watch({ key: 'a', fromRevision: 1 }, { changed: () => {}, failed: (error) => void errors.push(error) });
    await until(() => errors.length === 1);
    expect(errors[0]).to.include(expected);
  });

  it('says that a value is too large', async () => {
    await rejects(put('a', 'x'.repeat(2_000_000)), EtcdError, { code: 'invalid', isOutcomeUnknown: false });
  });

  it('says nothing more when it is closed', async () => {
    const other = await etcd.client();
    const told: unknown[] = [];
    const { revision } = await put('a', 'one');
    const listener = { changed: () => void told.push('changed'), failed: (error: EtcdError) => void told.push(error) };
    other.watch({ key: 'a', fromRevision: revision }, listener);
    await until(() => told.length === 1);
    // A watch that has not begun, too.
    other.watch({ key: 'a', fromRevision: revision }, listener);
    other.close();
    await rejects(other.range('a'), EtcdError, { code: 'failed', message: 'the client of etcd is closed' });
    const { events, stop } = watch('a', revision);
    await put('a', 'two');
    await until(() => events.length === 2);
    stop();
    expect(told).to.deep.equal(['changed']);
  });

  it('refuses an endpoint that is none', async () => {
    const expected = 'expected http://host:port or https://host:port';
    for (const endpoint of ['127.0.0.1:2379', 'http://127.0.0.1', 'ftp://a:1', 'http://a:1/path', 'http://u:p@a:1']) {
      const opening = EtcdClient.open({ endpoints: [endpoint], timeoutMs: 1 });
      await rejects(opening, RangeError, `endpoints has ${endpoint}; ${expected}`);
    }
    await rejects(EtcdClient.open({ endpoints: [], timeoutMs: 1 }), RangeError, `endpoints is empty; ${expected}`);
  });

  it('says what to install when a package is missing', async () => {
    const missing = '@grpc/no-such-package';
    const expected = { code: 'unusable' };
    const { message } = await rejects(orMissing(import(missing)), LedgerError, expected);
    expect(message).to.equal('a cluster on etcd needs the package @grpc/grpc-js: npm install @grpc/grpc-js');
  });
});
