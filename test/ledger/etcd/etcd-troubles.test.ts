import { expect } from 'chai';
import type { EtcdClient } from '../../../lib/ledger/etcd/etcd-client.ts';
import { EtcdError } from '../../../lib/ledger/etcd/etcd-error.ts';
import { needs } from '../../foreign/system-program.ts';
import { endTest, whenTestEnds } from '../../server/clean-up.ts';
import { until } from '../../server/raw-client.ts';
import { type Etcd, type EtcdSettings, startEtcd } from '../../support/etcd.ts';
import { rejects } from '../../support/rejection.ts';
import { Authority } from '../../transports/certificates.ts';

const PUT = { compare: [], success: [{ kind: 'put', key: 'a', value: 'one' }] } as const;

describe('an etcd that does not do what it was asked for', () => {
  before(function () {
    needs(this, 'etcd', 'etcdctl');
  });
  afterEach(endTest);

  async function start(settings: EtcdSettings = {}): Promise<Etcd> {
    const etcd = await startEtcd(settings);
    whenTestEnds(() => etcd.stop());
    return etcd;
  }

  it('is passed over while a member stands still, and says when there is no quorum', async () => {
    const etcd = await start({ memberCount: 3 });
    const [first, second, third] = etcd.members as [Member, Member, Member];
    const client = await etcd.client({ timeoutMs: 300 });
    await retried(() => client.txn(PUT));
    first.pause();
    // Whether it was carried out is unknown, so nobody else is asked.
    const lost = await rejects(client.txn(PUT), EtcdError, { code: 'timeout', isOutcomeUnknown: true });
    expect(lost.message).to.equal(`etcd at ${first.endpoint} did not answer within 300 ms`);
    await retried(() => client.range('a'));
    expect(client.endpoint).to.not.equal(first.endpoint);
    const errors: EtcdError[] = [];
    const listener = { changed: () => {}, failed: (error: EtcdError) => void errors.push(error) };
    (await etcd.client({ endpoints: [third.endpoint] })).watch({ key: 'a', fromRevision: 1 }, listener);
    second.pause();
    await until(async () => (await codeOf(client.range('a'))) === 'noQuorum');
    await until(() => errors.length === 1);
    expect(errors[0]).to.include({ code: 'noQuorum' });
    first.resume();
    second.resume();
    await retried(() => client.txn(PUT));
    for (const member of [first, second, third]) member.pause();
    expect(await codeOf(client.range('a'))).to.equal('timeout');
  });

  it('is asked for another token when it has forgotten the first, and refuses a wrong password', async () => {
    const etcd = await start();
    etcd.control('user', 'add', 'root:secret');
    etcd.control('auth', 'enable');
    const client = await etcd.client({ user: 'root', password: 'secret' });
    await client.txn(PUT);
    // Tokens end with the process.
    await etcd.members[0]?.kill();
    await etcd.members[0]?.start();
    await retried(() => client.txn(PUT));
    const errors: EtcdError[] = [];
    const failed = (error: EtcdError): void => void errors.push(error);
    for (const [options, why] of [
      [{ user: 'root', password: 'wrong' }, 'authentication failed, invalid user ID or password'],
      [{}, 'user name is empty'],
    ] as const) {
      const other = await etcd.client(options);
      const expected = `etcd at ${etcd.endpoints[0]} denies access: ${why}`;
      await rejects(other.txn(PUT), EtcdError, { code: 'denied', isOutcomeUnknown: false, message: expected });
      other.watch({ key: 'a', fromRevision: 1 }, { changed: () => {}, failed });
    }
    await until(() => errors.length === 2);
    expect(errors.map(({ code }) => code)).to.deep.equal(['denied', 'denied']);
  });

  it('is not trusted with a wrong certificate, and does not trust a client without one', async () => {
    const [authority, other] = [new Authority(), new Authority('other')];
    const { certFile, keyFile } = authority.issue('etcd');
    const etcd = await start({ tls: { certFile, keyFile, caFile: authority.certFile } });
    const { cert, key } = authority.issue('client');
    const own = { cert: Buffer.from(cert), key: Buffer.from(key) };
    const ca = Buffer.from(authority.cert);
    const trusted = await etcd.client({ tls: { ca, ...own } });
    expect(await trusted.txn(PUT)).to.include({ succeeded: true });
    for (const tls of [{ ca: Buffer.from(other.cert), ...own }, { ca }]) {
      const client = await etcd.client({ tls });
      const error = await rejects(client.txn(PUT), EtcdError, { code: 'certificate' });
      expect(error.message).to.include('look at the certificates');
    }
    const wrong = etcd.client({ tls: { ca, cert: own.cert, key: Buffer.from('no key') } });
    const { message } = await rejects(wrong, EtcdError, { code: 'certificate' });
    expect(message).to.include(`the certificate or key for etcd at ${etcd.endpoints[0]} is unusable`);
  });

  it('says that its database is full', async () => {
    const etcd = await start({ quotaBytes: 1_000_000 });
    const client = await etcd.client();
    const value = 'x'.repeat(500_000);
    const fill = { compare: [], success: [{ kind: 'put', key: 'a', value }] } as const;
    await until(async () => (await codeOf(client.txn(fill))) === 'noSpace');
    const { message } = await rejects(client.txn(PUT), EtcdError, { code: 'noSpace', isOutcomeUnknown: false });
    expect(message).to.include('has no space left (alarm NOSPACE)');
    expect((await client.status()).errors.join()).to.include('NOSPACE');
  });
});

type Member = Etcd['members'][number];

async function codeOf(asked: ReturnType<EtcdClient['range'] | EtcdClient['txn']>): Promise<string> {
  return await asked.then(
    () => 'done',
    (error: EtcdError) => error.code,
  );
}

/** Asks again while etcd elects a leader. */
async function retried(ask: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await ask();
      return;
    } catch (error) {
      if (!(error instanceof EtcdError) || !error.isOfEndpoint) throw error;
    }
  }
}
