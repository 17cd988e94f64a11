import { expect } from 'chai';
import { granted } from '../server/answers.ts';
import { type Message, type RawClient, until } from '../server/raw-client.ts';
import { serverForEachTest, startServer } from '../server/running-server.ts';
import { LIMITS, open, resume, type Told } from './session-scene.ts';

describe('an anchor', () => {
  const server = serverForEachTest(LIMITS, undefined, { forceUnlock: true });

  /** A client with a session that holds `jobs`, an anchor of it, and a client that waits for `jobs` with request 1. */
  async function connectAnchored(to = server): Promise<{
    holder: RawClient;
    anchor: RawClient;
    waiter: RawClient;
    session: Told;
    token: number;
  }> {
    const [holder, anchor, waiter] = await to.connectThree();
    const session = await open(holder);
    const token = await holder.take('jobs');
    await waiter.queue(1, 'jobs');
    expect(await anchorTo(anchor, session)).to.deep.equal({ state: 'anchored', id: session.id, timeout: 20 });
    return { holder, anchor, waiter, session, token };
  }

  async function anchorTo(client: RawClient, { id, secret }: Told): Promise<unknown> {
    return (await client.ask('hello', { protocol: 1, session: { id, secret, anchor: true } })).session;
  }

  /** Waits until the server has so many connections; returns what it counts then. */
  async function untilOpen(witness: RawClient, count: number): Promise<Message> {
    await until(async () => (await witness.ask('stats')).openConnections === count);
    return await witness.ask('stats');
  }

  it('keeps the locks of a client that has gone, until the anchor is closed', async () => {
    const { holder, anchor, waiter, token } = await connectAnchored();
    holder.socket.end();
    expect(await untilOpen(waiter, 2)).to.include({ holders: 1, waiting: 1, suspendedSessions: 0 });
    anchor.socket.end();
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(token + 1) });
  });

  it('shows that only it keeps the locks of a client that has gone', async () => {
    const { holder, waiter } = await connectAnchored();
    const { address } = await holder.ask('whoami');
    holder.socket.end();
    await untilOpen(waiter, 2);
    const { holders } = await waiter.ask('inspect', { lockName: 'jobs' });
    expect((holders as Message[])[0]).to.include({ address, anchored: true });
    const clients = [...server.server.monitor.clients()];
    expect(clients).to.deep.include({ state: 'anchored', address, name: '', claimCount: 1 });
  });

  it('keeps them until the last of several anchors is closed', async () => {
    const { holder, anchor, waiter, session, token } = await connectAnchored();
    const further = await server.connect();
    await anchorTo(further, session);
    holder.socket.end();
    anchor.reset();
    expect(await untilOpen(waiter, 2)).to.include({ holders: 1, waiting: 1 });
    further.reset();
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(token + 1) });
  });

  it('leaves the client its locks when the anchor is closed first', async () => {
    const { holder, anchor, waiter, token } = await connectAnchored();
    anchor.socket.end();
    expect(await untilOpen(waiter, 2)).to.include({ holders: 1, waiting: 1 });
    expect(await holder.ask('unlock', { lockName: 'jobs' })).to.deep.equal({ status: 'ok', count: 0 });
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(token + 1) });
  });

  it('keeps the session of a client that was cut off, which resumes it', async () => {
    const { holder, waiter, session, token } = await connectAnchored();
    holder.reset();
    // No time runs.
    expect(await untilOpen(waiter, 2)).to.include({ holders: 1, suspendedSessions: 0 });
    const again = await server.connect();
    expect(await resume(again, session, { holds: [token] })).to.include({ state: 'resumed' });
    expect(await again.ask('unlock', { lockName: 'jobs' })).to.include({ status: 'ok' });
  });

  it('leaves a client that was cut off its time when the anchor is closed', async () => {
    const { holder, anchor, waiter, session, token } = await connectAnchored();
    holder.reset();
    await untilOpen(waiter, 2);
    anchor.socket.end();
    expect(await untilOpen(waiter, 1)).to.include({ holders: 1, suspendedSessions: 1 });
    const again = await server.connect();
    expect(await resume(again, session, { holds: [token] })).to.include({ state: 'resumed' });
  });

  it('is told of when it ends a session because too many wait for their clients', async () => {
    const { holder, anchor, waiter } = await connectAnchored(await startServer({ ...LIMITS, maxSuspendedSessions: 0 }));
    holder.reset();
    await untilOpen(waiter, 2);
    anchor.socket.end();
    expect(await waiter.next()).to.have.property('id', 1);
    expect(await waiter.ask('stats')).to.have.nested.include({ 'refusals.maxSuspendedSessions': 1, orphans: 1 });
  });

  it('does not keep what a client gives up by bye', async () => {
    const { holder, waiter, token } = await connectAnchored();
    await holder.ask('bye');
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(token + 1) });
  });

  it('does not keep a session that an operator ends', async () => {
    const { holder, waiter, token } = await connectAnchored();
    const { address } = await holder.ask('whoami');
    holder.socket.end();
    await untilOpen(waiter, 2);
    const operator = await server.connect();
    expect(await operator.ask('kill', { address })).to.deep.equal({ status: 'ok', killed: 1 });
    expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(token + 1) });
  });

  it('is refused for a session that is not there, has no connection, or with a wrong secret', async () => {
    const { holder, anchor, waiter, session } = await connectAnchored();
    const expected = 'parameters.session.anchor is true; expected the id and secret of a connected session';
    const refused = { status: 'invalid', message: expected };
    const client = await server.connect();
    const ask = (asked: object): Promise<Message> =>
      client.ask('hello', { protocol: 1, session: { ...asked, anchor: true } });
    expect(await ask({})).to.deep.equal(refused);
    expect(await ask({ id: session.id, secret: 'wrong' })).to.deep.equal(refused);
    expect(await ask({ id: 'none', secret: session.secret })).to.deep.equal(refused);
    holder.socket.end();
    await untilOpen(waiter, 3);
    expect(await ask({ id: session.id, secret: session.secret })).to.deep.equal(refused);
    expect(await anchor.ask('hello', { protocol: 1, session: {} })).to.include({ status: 'invalid' });
  });
});
