import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { LockError, LockLostError } from '../../lib/client/lock-error.ts';
import { startTestServer, type TestServer, type TestServerOptions } from '../../lib/testing/index.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { rejection, rejects } from '../support/rejection.ts';

const run = promisify(execFile);

async function start(options: TestServerOptions): Promise<TestServer> {
  const server = await startTestServer(options);
  whenTestEnds(() => server.close());
  return server;
}

for (const socket of [false, true]) {
  describe(`a test server ${socket ? 'on a socket' : 'without a socket'}`, () => {
    let server: TestServer;
    beforeEach(async () => {
      server = await start({ socket });
    });
    afterEach(endTest);

    it('lets its clients exclude each other, and closes them when it is closed', async () => {
      const [first, second] = [await server.client({ name: 'first' }), await server.client()];
      const handle = await first.lock('jobs');
      expect(await second.tryLock('jobs')).to.equal(null);
      const waiting = second.lock('jobs');
      await handle.release();
      expect((await waiting).token).to.be.greaterThan(handle.token);
      await server.close();
      expect([first.state, second.state]).to.deep.equal(['closed', 'closed']);
    });

    it('starts even if a test has set another date', async () => {
      const { now } = Date;
      try {
        Date.now = () => Date.UTC(1960, 0);
        const client = await (await start({ socket })).client();
        expect((await client.lock('jobs')).isHeld).to.equal(true);
      } finally {
        Date.now = now;
      }
    });

    it('takes a lock from all its holders, under either mode, and admits the waiters', async () => {
      const [first, second] = [await server.client(), await server.client()];
      const holders = [
        await first.lock('jobs', { mode: 'shared' }),
        await second.lock('jobs', { mode: 'shared' }),
        await second.lock('jobs', { mode: 'permit' }),
      ];
      const other = await first.lock('other');
      const waiting = first.lock('jobs');
      expect(await server.loseLock('jobs')).to.equal(3);
      for (const { signal } of holders) {
        expect(signal.reason).to.be.instanceOf(LockLostError).and.include({ code: 'forced' });
      }
      expect(await waiting).to.include({ name: 'jobs', isHeld: true });
      expect(other.isHeld).to.equal(true);
    });

    it('rejects if nobody holds the lock', async () => {
      await rejects(server.loseLock('jobs'), Error, 'nobody holds the lock "jobs"');
    });

    it('makes a function under a lost lock reject', async () => {
      const client = await server.client();
      const done = client.locked('jobs', async () => {
        await server.loseLock('jobs');
        return 42;
      });
      await rejects(done, LockLostError, { code: 'forced', result: 42 });
    });

    it('cuts a connection so that both sides notice, and the client comes back', async () => {
      const [client, bystander] = [await server.client(), await server.client()];
      const [handle, kept] = [await client.lock('jobs'), await bystander.lock('other')];
      const waiting = client.lock('other', { waitMs: Number.POSITIVE_INFINITY });
      await server.settled();
      const reasons: (Error | undefined)[] = [];
      client.on('disconnect', (error) => reasons.push(error));
      await server.cutConnection(client);
      expect(handle.signal.reason).to.be.instanceOf(LockLostError).and.include({ code: 'connectionLost' });
      expect(reasons).to.have.length(1);
      expect(reasons[0]).to.include({ code: 'ECONNRESET' });
      expect(kept.isHeld).to.equal(true);
      const next = await bystander.tryLock('jobs');
      expect(next).to.include({ name: 'jobs', isHeld: true });
      await kept.release();
      expect(await waiting, 'asked again on the next connection').to.include({ name: 'other' });
      expect(client.state).to.equal('connected');
    });

    it('cuts the connection of a client that does not come back', async () => {
      const client = await server.client({ reconnect: false });
      await client.lock('jobs');
      await server.cutConnection(client);
      expect(client.state).to.equal('closed');
      await server.assertNoLocks();
      await rejects(
        server.cutConnection(client),
        Error,
        'the client is closed, or was not made by client() of this server',
      );
    });

    it('does not cut a connection that is not there', async () => {
      const client = await server.client({ reconnect: { minDelayMs: 1e9, maxDelayMs: 1e9 } });
      await server.cutConnection(client);
      await rejects(server.cutConnection(client), Error, 'the client is reconnecting; expected connected');
    });

    it('finds no locks when there are none, or when the last release is on its way', async () => {
      await server.assertNoLocks();
      const client = await server.client();
      const handle = await client.lock('jobs');
      const released = handle.release();
      await server.assertNoLocks();
      expect(await released).to.equal(true);
    });

    it('lists the holders and the waiters of all locks', async () => {
      const client = await server.client({ name: 'worker' });
      const handle = await client.lock('jobs', { owner: 'night' });
      const waiting = client.lock('jobs', { owner: 'day' });
      const permit = await client.lock('pool', { mode: 'permit', owner: 'p' });
      const error = (await rejection(server.assertNoLocks())) as Error;
      expect(error.name).to.equal('AssertionError');
      const lines = error.message.replace(/(memory|127\.0\.0\.1):\d+/g, 'PEER').replace(/\d+ ms/g, '0 ms');
      expect(lines.replace(/token \d+/g, 'token 1').split('\n')).to.deep.equal([
        'expected no lock to be held or waited for, but:',
        '  "worker" at PEER, owner "night", holds "jobs" (exclusive), token 1, for 0 ms',
        '  "worker" at PEER, owner "day", waits for "jobs" (exclusive), for 0 ms',
        '  "worker" at PEER, owner "p", holds "pool" (permit), token 1, for 0 ms',
      ]);
      await handle.release();
      await (await waiting).release();
      await permit.release();
      await server.assertNoLocks();
    });

    it('settles when every request for a lock is granted or waits', async () => {
      const client = await server.client();
      await client.lock('jobs');
      const chain = (async () => {
        for (let index = 0; index < 5; index += 1) await (await client.lock(`step ${index}`)).release();
        await client.lock('jobs', { waitMs: Number.POSITIVE_INFINITY });
      })();
      chain.catch(() => {});
      await server.settled();
      expect((await client.inspect('jobs')).waiterCount).to.equal(1);
    });

    it('settles when the server has dealt with more requests than it does in a turn', async () => {
      const busy = await start({ socket, limits: { maxPendingRequests: 10_000, maxWaitersPerLock: 10_000 } });
      const [holder, waiter] = [await busy.client(), await busy.client()];
      await holder.lock('jobs');
      for (let owner = 0; owner < 10_000; owner += 1) {
        waiter.rpc('lock', { lockName: 'jobs', owner: String(owner), timeLimit: 3_600 }).catch(() => {});
      }
      await busy.settled();
      expect((await holder.inspect('jobs')).waiterCount).to.equal(10_000);
    });

    it('cannot move the clock of the machine', async () => {
      await rejects(
        server.clock.advance(1),
        Error,
        "the clock is the system's; start the server with { clock: 'manual' } to move it",
      );
    });

    it('settles although a program lets turns pass between its steps', async () => {
      const client = await server.client();
      const chain = (async () => {
        for (let index = 0; index < 5; index += 1) {
          await client.lock(`step ${index}`);
          for (let turn = 0; turn < 2; turn += 1) await new Promise(setImmediate);
        }
      })();
      await server.settled();
      expect((await client.inspect('step 4')).holderCount).to.equal(1);
      await chain;
    });

    it('leaves no client behind that was connecting when it was closed', async () => {
      for (let turns = 0; turns < 12; turns += 1) {
        const other = await start({ socket });
        const made = other.client().catch((error: unknown) => error);
        for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
        await other.close();
        const client = await made;
        if (client instanceof LockClient) expect(client.state).to.equal('closed');
        else expect(client).to.be.instanceOf(Error);
      }
    });

    it('makes no client after its end', async () => {
      const made = rejection(server.client());
      await server.close();
      expect(await made).to.be.instanceOf(Error);
      expect(await rejection(server.client())).to.include({ code: 'ECONNREFUSED' });
    });
  });
}

describe('a test server', () => {
  afterEach(endTest);

  it('has an address only if it has a socket', async () => {
    const silent = await start({});
    const message = 'the server has no socket; start it with { socket: true }, or connect by its client()';
    expect(() => silent.address).to.throw(message);
    expect(() => silent.port).to.throw(message);
    const server = await start({ socket: true });
    expect(server.address).to.equal(`127.0.0.1:${server.port}`);
  });

  it('serves programs that know its port, but cannot cut their connections', async () => {
    const server = await start({ socket: true });
    const client = await LockClient.connect({ port: server.port });
    whenTestEnds(() => client.close());
    await client.lock('jobs');
    expect(await server.loseLock('jobs')).to.equal(1);
    await rejects(
      server.cutConnection(client),
      Error,
      'the client is closed, or was not made by client() of this server',
    );
  });

  it('opens no port without a socket', async () => {
    const program = `
      import { startTestServer } from 'holdfast/testing';
      const server = await startTestServer();
      const client = await server.client();
      await client.lock('jobs');
      console.log(process.getActiveResourcesInfo().filter((name) => /TCP|Pipe/.test(name) && !/^PipeWrap$/.test(name)).join());
    `;
    // The program ends although it closes nothing, because nothing keeps the process alive.
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', program]);
    expect([stdout.trim(), stderr]).to.deep.equal(['', '']);
  });

  it('takes the options of a lock server', async () => {
    const server = await start({ limits: { maxLocksPerSession: 1 } });
    const client = await server.client();
    await client.lock('a');
    await rejects(client.lock('b'), LockError, { code: 'limit' });
  });

  it('says which option is wrong', async () => {
    const clock = startTestServer({ clock: 'fast' } as unknown as TestServerOptions);
    await rejects(clock, TypeError, 'clock is "fast"; expected "manual" or "system"');
    await rejects(
      startTestServer({ socket: 1 } as unknown as TestServerOptions),
      Error,
      'socket is 1; expected true or false',
    );
  });

  it('frees its port when it is closed', async () => {
    const server = await start({ socket: true });
    const { port } = server;
    await server.close();
    const code = await new Promise((resolve) => {
      connect({ host: '127.0.0.1', port })
        .once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
        .once('connect', () => resolve('connected'));
    });
    expect(code).to.equal('ECONNREFUSED');
  });
});
