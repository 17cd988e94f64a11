import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { KnownEtcd } from '../../lib/cluster/known-etcd.ts';
import { LedgerError } from '../../lib/ledger/ledger-error.ts';
import { folderForEachTest, whenTestEnds } from '../server/clean-up.ts';
import { rejects } from '../support/rejection.ts';

function answer(revision: number, clusterId = '7'): { readonly clusterId: string; readonly revision: number } {
  return { clusterId, revision };
}

describe('what a server remembers of etcd', () => {
  const folder = folderForEachTest();
  const told: string[] = [];
  const report = { tell: (_: string, message: string) => void told.push(message), fail: () => {} };

  function openUntilClosed(isRaised = false): Promise<KnownEtcd> {
    return KnownEtcd.open({ directory: folder.at('state'), isRaised, report });
  }

  async function open(isRaised = false): Promise<KnownEtcd> {
    const known = await openUntilClosed(isRaised);
    whenTestEnds(() => known.close());
    return known;
  }

  async function forgetful(): Promise<KnownEtcd> {
    return await KnownEtcd.open({ isRaised: false, report });
  }

  /** As if an earlier run of the server had known it. */
  async function remember(revision: number, token: number): Promise<void> {
    const known = await openUntilClosed();
    known.accepts(answer(revision), 0);
    known.token = token;
    await known.close();
  }

  it('C7: finds out that the revision fell while the server was away', async () => {
    await remember(100, 5);
    const known = await open();
    expect(known.accepts(answer(99), 0)).to.equal(false);
    expect(known.error?.message).to.match(
      /^etcd has other data than before: its revision is 99; this node knew 100; .* --raise$/,
    );
    expect(known.accepts(answer(200), 0), 'a later answer').to.equal(false);
  });

  it('C7: finds out that the revision fell while the server ran', async () => {
    const known = await forgetful();
    expect(known.accepts(answer(100), 0)).to.equal(true);
    expect(known.accepts(answer(99), 100)).to.equal(false);
  });

  it('C7: finds out that it is another etcd', async () => {
    await remember(100, 5);
    const known = await open();
    expect(known.accepts(answer(100, '8'), 0)).to.equal(false);
    expect(known.error?.message).to.include('its cluster id is 8; this node knew 7');
  });

  it('takes answers that overtake each other', async () => {
    const known = await forgetful();
    known.accepts(answer(100), 0);
    expect(known.accepts(answer(102), 100)).to.equal(true);
    expect(known.accepts(answer(101), 100)).to.equal(true);
  });

  it('C7: accepts what it finds with --raise, and knows which tokens are too low', async () => {
    await remember(100, 5);
    const known = await open(true);
    expect(known.accepts(answer(1, '8'), 0)).to.equal(true);
    expect(known).to.include({ isRaised: true, token: 5, error: undefined });
  });

  it('C7: finds it out again after the next start', async () => {
    const known = await openUntilClosed();
    known.accepts(answer(100), 0);
    await known.save();
    known.accepts(answer(200), 100);
    known.accepts(answer(150), 200);
    await known.close();
    expect((await open()).accepts(answer(160), 0)).to.equal(false);
  });

  it('C7: remembers the highest revision when etcd answered with a lower one, or not at all', async () => {
    await remember(1_000, 5);
    const refused = await openUntilClosed();
    refused.accepts(answer(10), 0);
    await refused.close();
    await (await openUntilClosed()).close();
    expect((await open()).accepts(answer(999), 0)).to.equal(false);
  });

  it('C7: has saved what was known when it was asked to, though a save was under way', async () => {
    const known = await open();
    known.accepts(answer(100), 0);
    const first = known.save();
    known.accepts(answer(200), 100);
    await known.save();
    await first;
    expect(readFileSync(folder.at('state/etcd'), 'utf8')).to.include('"revision":200');
  });

  it('writes nothing while nothing has changed', async () => {
    const known = await open();
    known.accepts(answer(100), 0);
    await known.save();
    rmSync(folder.at('state/etcd'));
    await known.save();
    expect(existsSync(folder.at('state/etcd'))).to.equal(false);
    known.accepts(answer(101), 100);
    await known.save();
    expect(existsSync(folder.at('state/etcd'))).to.equal(true);
  });

  it('refuses a directory that another server has, and a file that is damaged', async () => {
    await remember(100, 5);
    const known = await openUntilClosed();
    await rejects(open(), LedgerError, { code: 'taken' });
    await known.close();
    for (const text of ['', '{"revision":', 'null', '{"clusterId":7,"revision":1,"token":1}']) {
      writeFileSync(folder.at('state/etcd'), text);
      const error = await rejects(open(), LedgerError, { code: 'unreadable' });
      expect(error.message, text).to.include(`${folder.at('state/etcd')} is damaged`);
    }
  });

  it('says that it cannot save', async () => {
    const known = await open();
    known.accepts(answer(1), 0);
    rmSync(folder.at('state'), { recursive: true });
    await known.save();
    expect(told.at(-1)).to.match(/^the state directory cannot be written: .*; after a restart, etcd set back is not /);
  });
});
