import { readdirSync, statSync, truncateSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { portOf } from '../client/plain-listener.ts';
import { type Message, RawClient, until } from '../server/raw-client.ts';
import { expectStartFails } from '../server/running-program.ts';
import { stateForEachTest } from './state-scene.ts';

/** What the server says of a session. */
interface Told {
  readonly id: string;
  readonly secret: string;
}

describe('a planned stop with a state directory', () => {
  const scene = stateForEachTest();
  const { start, startProgram, crash, connect } = scene;

  async function open(timeout = 10): Promise<[RawClient, Told]> {
    const client = await RawClient.connect(scene.port);
    return [client, (await client.ask('hello', { protocol: 1, session: { timeout } })).session as Told];
  }

  /** Comes back to a session, and returns what the server says of it. */
  async function comeBack({ id, secret }: Told, has: object = {}): Promise<[RawClient, Message]> {
    const client = await RawClient.connect(scene.port);
    return [client, (await client.ask('hello', { protocol: 1, session: { id, secret, ...has } })).session as Message];
  }

  it('costs 20 holders and 40 waiters nothing, and keeps the order of the queue', async function () {
    this.timeout(30_000);
    const { program } = await startProgram();
    const holders = Array.from({ length: 20 }, () => connect());
    const handles = await Promise.all(holders.map((client, index) => client.lock(`lock ${index}`)));
    const tokens = handles.map(({ token }) => token);
    // One after the other: 21 wait for the first lock, one for each of the others.
    const waiters = Array.from({ length: 40 }, () => connect());
    const granted: number[] = [];
    const waits: Promise<number>[] = [];
    for (const [index, client] of waiters.entries()) {
      const waiting = client.lock(`lock ${index < 20 ? index : 0}`, { waitMs: 600_000 }).then(async (handle) => {
        granted.push(index);
        await handle.release();
        return handle.token;
      });
      waits.push(waiting);
      await client.rpc('ping');
    }
    program.signal('SIGTERM');
    expect(await program.exit).to.deep.equal({ code: 0, signal: null });
    await startProgram();
    const [witness] = await open();
    expect(await witness.ask('stats')).to.include({ awaitedSessions: 0, holders: 20, waiting: 40 });
    await witness.take('another');
    expect(await Promise.all(handles.map((handle) => handle.confirm()))).to.not.include(false);
    expect(handles.map(({ signal }) => signal.aborted)).to.not.include(true);
    expect(handles.map(({ token }) => token)).to.deep.equal(tokens);
    expect(granted).to.deep.equal([]);
    await handles[0]?.release();
    await Promise.all([waits[0], ...waits.slice(20)]);
    expect(granted).to.deep.equal([0, ...Array.from({ length: 20 }, (_, index) => 20 + index)]);
    await Promise.all(handles.slice(1).map((handle) => handle.release()));
    expect(Math.min(...(await Promise.all(waits)))).to.be.above(Math.max(...tokens));
  });

  it('answers draining to waiters without a session only, and says goaway to the others', async () => {
    const server = await start();
    const [holder] = await open();
    await holder.take('a');
    const [waiter] = await open();
    const bare = await RawClient.connect(scene.port);
    await waiter.queue(1, 'a');
    await bare.queue(1, 'a');
    await server.stop();
    expect(await bare.rest()).to.deep.equal([{ id: 1, result: { status: 'draining' } }]);
    expect(await waiter.rest()).to.deep.equal([{ event: 'goaway' }]);
    expect(await holder.rest()).to.deep.equal([{ event: 'goaway' }]);
  });

  it('S3: resumes a session after it: names what ended, answers what was granted, goes on with what waits', async () => {
    const server = await start();
    const [holder, holderTold] = await open();
    const [waiter, waiterTold] = await open();
    const [kept, released] = [await holder.take('a', { owner: 'x', lease: 3_600 }), await holder.take('b')];
    await holder.take('c', { mode: 'permit' });
    const leased = await holder.take('e', { lease: 0.001 });
    await holder.next();
    await waiter.queue(1, 'a', { owner: 'y', mode: 'shared', timeLimit: 3_600 });
    await waiter.queue(2, 'b', { stealable: true });
    await waiter.ask('lock', { lockName: 'd' });
    const locks = [{ lockName: 'b' }, { lockName: 'c', mode: 'permit', limit: 1 }];
    waiter.send({ command: 'lockAll', parameters: { locks, owner: 'z' }, id: 'all' });
    await waiter.queue(4, 'a');
    await server.stop();
    await start();
    const [holderBack, resumedHolder] = await comeBack(holderTold, { holds: [kept, leased, 7] });
    expect(resumedHolder).to.deep.equal({
      state: 'resumed',
      id: holderTold.id,
      timeout: 10,
      lost: [
        { token: leased, reason: 'lease' },
        { token: 7, reason: 'forced' },
      ],
      answers: [],
      unknown: [],
    });
    const [waiterBack, resumedWaiter] = await comeBack(waiterTold, {
      requests: [1, 2, { id: 'all', locks: 2 }, 5],
    });
    const { answers, ...rest } = resumedWaiter;
    expect(rest).to.deep.equal({ state: 'resumed', id: waiterTold.id, timeout: 10, lost: [], unknown: [5] });
    const [answer, ...others] = answers as readonly [Message, ...Message[]];
    expect(answer).to.deep.include({ id: 2 }).and.nested.include({ 'result.status': 'ok' });
    expect(others).to.deep.equal([]);
    const { token } = answer.result as { readonly token: number };
    expect(token).to.be.above(released);
    // What nobody listed is free, and so is what was not asked for again.
    expect((await holderBack.ask('inspect', { lockName: 'd' })).holders).to.deep.equal([]);
    const { holders, waiters } = await holderBack.ask('inspect', { lockName: 'a' });
    expect((holders as readonly Message[]).map(({ token: held, owner }) => [held, owner])).to.deep.equal([[kept, 'x']]);
    expect((waiters as readonly Message[]).map(({ owner, mode }) => [owner, mode])).to.deep.equal([['y', 'shared']]);
    await waiterBack.settle();
    waiterBack.send({ command: 'unlock', parameters: { token }, id: 6 });
    expect(await waiterBack.nextMany(2)).to.have.deep.members([
      { id: 6, result: { status: 'ok', count: 0 } },
      { id: 'all', result: { status: 'ok', tokens: [token + 1, token + 2], counts: [1, 1] } },
    ]);
    await holderBack.ask('unlock', { token: kept });
    expect(await waiterBack.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: token + 3, count: 1 } });
  });

  it('S1: goes on with the numbers of resumes, so that a late one from before the stop changes nothing', async () => {
    const server = await start();
    const [holder, told] = await open();
    const early = await holder.take('early');
    const [again] = await comeBack(told, { attempt: 3, holds: [early] });
    const token = await again.take('a');
    await server.stop();
    await start();
    const late = await RawClient.connect(scene.port);
    const session = { id: told.id, secret: told.secret, attempt: 3, holds: [early] };
    late.send({ command: 'hello', parameters: { protocol: 1, session }, id: 1 });
    expect(await late.rest()).to.deep.equal([]);
    const [, { state, lost }] = await comeBack(told, { attempt: 4, holds: [early, token] });
    expect({ state, lost }).to.deep.equal({ state: 'resumed', lost: [] });
  });

  it('lets waiters in whose holder had no session, before they are back', async () => {
    const server = await start();
    const bare = await RawClient.connect(scene.port);
    await bare.take('a');
    const [first, told] = await open();
    const [second] = await open();
    await first.queue(1, 'a');
    await second.queue(1, 'a');
    await server.stop();
    await start();
    const [, { answers }] = await comeBack(told, { requests: [1] });
    expect((answers as readonly Message[]).map(({ id }) => id)).to.deep.equal([1]);
  });

  it('keeps new requests of sessions waiting, and grants nothing, while it drains', async () => {
    const server = await start();
    const [holder] = await open();
    const [waiter, told] = await open();
    const token = await holder.take('a');
    await waiter.queue(1, 'a');
    const stopped = server.stop(3_600_000);
    await until(
      async () => (await waiter.ask('lock', { lockName: 'a', owner: 'x', timeLimit: 0 })).status === 'draining',
    );
    await waiter.queue(2, 'free');
    expect(await waiter.ask('lock', { lockName: 'free', steal: true, owner: 'x' })).to.include({ status: 'draining' });
    expect(await holder.ask('unlock', { token })).to.include({ status: 'ok' });
    expect(await waiter.rest()).to.deep.equal([{ event: 'goaway' }]);
    await stopped;
    await start();
    const [, { answers }] = await comeBack(told, { requests: [1, 2] });
    expect((answers as readonly Message[]).map(({ id }) => id)).to.have.members([1, 2]);
  });

  it('L3: ends a session that is not back in time, and has that on record before others get its locks', async () => {
    const limits = { minSessionTimeoutMs: 1 };
    const server = await start(limits);
    const [holder, told] = await open(0.5);
    const [waiter, waiterTold] = await open();
    const token = await holder.take('a');
    await waiter.queue(1, 'a');
    await server.stop();
    await start(limits);
    const [waiterBack] = await comeBack(waiterTold, { requests: [1] });
    expect(((await waiterBack.next()).result as { readonly token: number }).token).to.be.above(token);
    expect(await waiterBack.ask('stats')).to.include({ expiredSessions: 1, resumedSessions: 1, suspendedSessions: 0 });
    crash();
    await start(limits);
    const [, { state }] = await comeBack(told, { holds: [token] });
    expect(state).to.equal('gone');
  });

  it('is saved again by a start that found nowhere to listen', async () => {
    const server = await start();
    const [holder, told] = await open();
    const [waiter, waiterTold] = await open();
    const token = await holder.take('a');
    await waiter.queue(1, 'a');
    await server.stop();
    const other = createServer();
    const args = ['--port', String(await portOf(other)), '--state', scene.directory];
    await expectStartFails('bin/server.js', EXIT_CODES.cannotListen, /EADDRINUSE/, ...args);
    await start();
    const [back, { state, lost }] = await comeBack(told, { holds: [token] });
    expect({ state, lost }).to.deep.equal({ state: 'resumed', lost: [] });
    const [waiterBack, { unknown }] = await comeBack(waiterTold, { requests: [1] });
    expect(unknown).to.deep.equal([]);
    await back.ask('unlock', { token });
    expect(await waiterBack.next()).to.nested.include({ id: 1, 'result.status': 'ok' });
  });

  it('L4: is followed by a grace when the server is killed after the next start', async () => {
    const server = await start();
    const [holder, told] = await open();
    const token = await holder.take('a');
    await server.stop();
    await start();
    expect(readdirSync(scene.directory)).to.not.include('stop');
    crash();
    await start();
    const [back, session] = await comeBack(told);
    expect(session).to.include({ state: 'reclaim' });
    const other = await RawClient.connect(scene.port);
    expect(await other.ask('lock', { lockName: 'b', timeLimit: 0 })).to.include({ reason: 'grace' });
    const holds = [{ lockName: 'a', token }];
    expect(await back.ask('reclaim', { holds, last: true })).to.deep.include({ lost: [] });
    expect(await other.take('b')).to.be.above(token);
  });

  it('is followed by a grace when what it saved is damaged, with clear words and greater tokens', async () => {
    const server = await start();
    const [holder, told] = await open();
    const token = await holder.take('a');
    await server.stop();
    const saved = join(scene.directory, 'stop');
    truncateSync(saved, statSync(saved).size - 5);
    const second = await start();
    const complaint = `${scene.directory}/stop: line 2 is damaged`;
    expect(second.logger.warnings.join('\n')).to.include(complaint);
    const [back, session] = await comeBack(told);
    expect(session).to.include({ state: 'reclaim' });
    await back.ask('reclaim', { holds: [{ lockName: 'a', token }], last: true });
    expect(await back.take('b')).to.be.above(token);
    expect(readdirSync(scene.directory)).to.include('stop.damaged');
  });

  it('saves nothing in a grace: who was not back is awaited again', async () => {
    await start();
    const [holder, told] = await open();
    const token = await holder.take('a');
    crash();
    await (await start()).stop();
    await start();
    const other = await RawClient.connect(scene.port);
    expect(await other.ask('lock', { lockName: 'a', timeLimit: 0 })).to.include({ reason: 'grace' });
    const [back] = await comeBack(told);
    const holds = [{ lockName: 'a', token }];
    expect(await back.ask('reclaim', { holds, last: true })).to.deep.include({ lost: [] });
  });
});
