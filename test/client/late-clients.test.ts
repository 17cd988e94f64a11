import { expect } from 'chai';
import { MemoryLedger } from '../../lib/ledger/memory-ledger.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { whenLost } from './client-scene.ts';

const TIMEOUT_MS = 20_000;
/** For a client that must give up within the test. */
const SHORT_TIMEOUT_MS = 1_000;
/** More of its time-out than a client trusts its session without an answer, and less than the server keeps it. */
const SLEPT_SHARE = 0.95;

/** Moves the wall clock, as if the machine had slept. */
function sleep(timeoutMs: number): void {
  const { now } = Date;
  Date.now = () => now() + timeoutMs * SLEPT_SHARE;
  whenTestEnds(() => {
    Date.now = now;
  });
}

describe('a client past its deadline, and a server that may not lead any more', () => {
  let server: RunningServer;
  let askedCount: number;
  let confirm: () => Promise<void>;

  beforeEach(async () => {
    askedCount = 0;
    confirm = () => Promise.resolve();
    const confirmLead = (): Promise<void> => {
      askedCount += 1;
      return confirm();
    };
    const limits = { minSessionTimeoutMs: SHORT_TIMEOUT_MS };
    server = await startServer(limits, undefined, { ledger: Object.assign(new MemoryLedger(0), { confirmLead }) });
  });
  afterEach(endTest);

  it('C3: is sure of its lock again once the server knows that it leads', async () => {
    const client = await server.client();
    const handle = await client.lock('jobs');
    sleep(TIMEOUT_MS);
    expect(handle.isHeld).to.equal(false);
    expect(await handle.confirm()).to.equal(true);
    expect(askedCount).to.equal(1);
  });

  it('C3: counts no answer but that to a ping for which the server made sure', async () => {
    const client = await server.client();
    const handle = await client.lock('jobs');
    confirm = () => new Promise(() => {});
    sleep(TIMEOUT_MS / 2);
    await client.rpc('stats');
    sleep(TIMEOUT_MS / 2);
    expect(handle.isHeld).to.equal(false);
  });

  it('C3: loses its lock when the server does not', async () => {
    const client = await server.client({ session: { timeoutMs: SHORT_TIMEOUT_MS } });
    const handle = await client.lock('jobs');
    confirm = () => Promise.reject(new Error('another server leads'));
    sleep(SHORT_TIMEOUT_MS);
    expect(await whenLost(handle)).to.include({ code: 'unconfirmed' });
  });

  it('C3: is handed no lock before the server knows that it leads', async () => {
    const client = await server.client();
    sleep(TIMEOUT_MS);
    const handle = await client.lock('jobs');
    expect([handle.isHeld, askedCount]).to.deep.equal([true, 1]);
  });
});
