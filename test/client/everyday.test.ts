import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import { LockClosedError, LockLostError } from '../../lib/client/lock-error.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { until } from '../server/raw-client.ts';
import { startServerProgram } from '../server/running-program.ts';
import { freePort } from '../support/free-port.ts';
import { rejection, rejects } from '../support/rejection.ts';
import {
  AT_ONCE,
  client,
  clientScene,
  emitted,
  isFree,
  lazyClient,
  other,
  proxy,
  throughProxy,
  whenLost,
} from './client-scene.ts';

describe('the terms of a leader', () => {
  clientScene();

  it('belong to one client at a time', async () => {
    const log: string[] = [];
    let leaders = 0;
    const lead = async (candidate: LockClient, name: string): Promise<void> => {
      let terms = 0;
      for await (const term of candidate.terms('leader')) {
        leaders += 1;
        expect(leaders).to.equal(1);
        log.push(`${name} ${term.token}`);
        await candidate.rpc('ping');
        leaders -= 1;
        terms += 1;
        if (terms === 3) break;
      }
    };
    await Promise.all([lead(other, 'a'), lead(client, 'b')]);
    expect(log).to.deep.equal(['a 1', 'b 2', 'a 3', 'b 4', 'a 5', 'b 6']);
    await isFree('leader');
  });

  it('end with the loop, even if it throws', async () => {
    const thrown = new Error('from the loop');
    const lead = async (): Promise<void> => {
      for await (const term of client.terms('leader')) {
        expect(term.isHeld).to.equal(true);
        throw thrown;
      }
    };
    expect(await rejection(lead())).to.equal(thrown);
    await isFree('leader');
  });

  it('end with the signal: during the wait, or after the term in which it aborts', async () => {
    const abort = new AbortController();
    const waiter = new AbortController();
    const terms: number[] = [];
    for await (const term of client.terms('leader', { signal: abort.signal })) {
      terms.push(term.token);
      const waiting = (async () => {
        for await (const unexpected of other.terms('leader', { signal: waiter.signal })) terms.push(unexpected.token);
      })();
      await until(async () => (await client.inspect('leader')).waiterCount === 1);
      waiter.abort();
      await waiting;
      abort.abort();
    }
    expect(terms).to.deep.equal([1]);
    await isFree('leader');
  });

  for (const whileDisconnected of ['wait', 'fail'] as const) {
    it(`continue on a new connection when one is lost, while other calls ${whileDisconnected}`, async () => {
      const cut = await throughProxy({ reconnect: AT_ONCE, whileDisconnected });
      const tokens: number[] = [];
      for await (const term of cut.terms('leader')) {
        tokens.push(term.token);
        if (tokens.length === 2) break;
        const [lost, gone] = [whenLost(term), emitted(cut, 'disconnect')];
        proxy.cut();
        expect(await lost)
          .to.be.instanceOf(LockLostError)
          .and.include({ code: 'connectionLost' });
        await gone;
      }
      expect(tokens).to.deep.equal([1, 2]);
    });
  }

  it('continue when the server is stopped and another started in its place', async () => {
    const port = await freePort();
    const { program } = await startServerProgram('--port', String(port));
    const candidate = lazyClient({ port, reconnect: { minDelayMs: 1, maxDelayMs: 10 } });
    const leader = lazyClient({ port, reconnect: false });
    await leader.lock('leader');
    const led = (async () => {
      for await (const term of candidate.terms('leader')) return term.token;
      return undefined;
    })();
    await until(async () => (await leader.inspect('leader')).waiterCount === 1);
    program.signal('SIGTERM');
    await program.exit;
    await startServerProgram('--port', String(port));
    expect(await led).to.be.a('number');
  });

  it('reject when the client is closed', async () => {
    await other.lock('leader');
    const lead = async (): Promise<void> => {
      for await (const _ of client.terms('leader')) expect.fail('it is not free');
    };
    const led = rejects(lead(), LockClosedError);
    await until(async () => (await other.inspect('leader')).waiterCount === 1);
    await client.close();
    await led;
  });
});

describe('a function that runs only if its lock is free', () => {
  clientScene();

  it('runs once when many callers try at the same time', async () => {
    let runs = 0;
    const work = async (handle: LockHandle): Promise<number> => {
      runs += 1;
      await until(async () => (await client.stats()).requests.lock === 3);
      return handle.token;
    };
    const outcomes = await Promise.all([1, 2, 3].map(() => client.tryLocked('jobs', work)));
    expect(runs).to.equal(1);
    expect(outcomes).to.deep.include.members([{ ran: true, value: 1 }, { ran: false }]);
    await isFree();
  });
});

describe('a promise that is valid only while a lock is held', () => {
  clientScene();

  it('settles as usual while the lock is held', async () => {
    const handle = await client.lock('jobs');
    const failure = new Error('its own');
    expect(await handle.whileHeld(Promise.resolve(5))).to.equal(5);
    expect(await rejection(handle.whileHeld(Promise.reject(failure)))).to.equal(failure);
  });

  it('rejects with the loss as soon as the lock is lost', async () => {
    const handle = await client.lock('jobs');
    const never = rejects(handle.whileHeld(new Promise(() => {})), LockLostError);
    proxy.cut();
    await never;
    expect(await rejection(handle.whileHeld(Promise.resolve(5)))).to.equal(handle.signal.reason);
  });
});
