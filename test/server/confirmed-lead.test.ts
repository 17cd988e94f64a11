import { expect } from 'chai';
import { MemoryLedger } from '../../lib/ledger/memory-ledger.ts';
import { type Gate, makeGate } from '../../lib/message/gate.ts';
import { LIMITS, open } from '../sessions/session-scene.ts';
import { endTest } from './clean-up.ts';
import { until } from './raw-client.ts';
import { type RunningServer, startServer } from './running-server.ts';

/** Refuses to confirm that the server leads. */
const DEPOSED = (): Promise<void> => Promise.reject(new Error('another server leads'));

describe('a server that may not lead any more', () => {
  let server: RunningServer;
  /** How often the ledger was asked, and what it says. */
  let askedCount: number;
  let confirm: () => Promise<void>;

  beforeEach(async () => {
    askedCount = 0;
    const confirmLead = (): Promise<void> => {
      askedCount += 1;
      return confirm();
    };
    server = await startServer(LIMITS, undefined, { ledger: Object.assign(new MemoryLedger(0), { confirmLead }) });
  });
  afterEach(endTest);

  /** Has the ledger think about its next answers. */
  function hesitate(): Gate {
    const gate = makeGate();
    confirm = () => gate.promise;
    return gate;
  }

  it('C3: answers a ping that asks for it once the ledger has confirmed; nobody behind it waits', async () => {
    const client = await server.connect();
    const gate = hesitate();
    client.send({ command: 'ping', parameters: { confirm: true }, id: 1 }, { command: 'ping', id: 2 });
    expect(await client.next()).to.deep.equal({ id: 2, result: { status: 'ok' } });
    gate.resolve();
    expect(await client.next()).to.deep.equal({ id: 1, result: { status: 'ok' } });
    expect(askedCount).to.equal(1);
  });

  it('C3: closes the connection without an answer when the ledger does not confirm', async () => {
    confirm = DEPOSED;
    for (const [command, parameters] of [
      ['ping', { confirm: true }],
      ['hello', { protocol: 1, session: {}, confirm: true }],
    ] as const) {
      const client = await server.connect();
      client.send({ command, parameters, id: 1 });
      expect(await client.rest(), command).to.deep.equal([]);
    }
    expect(askedCount).to.equal(2);
  });

  it('C3: resumes no session for a client that is gone before the ledger has confirmed', async () => {
    const holder = await server.connect();
    const { id, secret } = await open(holder);
    const token = await holder.take('jobs');
    const session = { id, secret, attempt: 1, holds: [token] };
    const gone = await server.connect();
    const gate = hesitate();
    gone.send({ command: 'hello', parameters: { protocol: 1, session, confirm: true }, id: 1 });
    await until(() => askedCount === 1);
    gone.reset();
    await until(async () => (await holder.ask('stats')).openConnections === 1);
    gate.resolve();
    const again = await server.connect();
    const result = await again.ask('hello', { protocol: 1, session, confirm: true });
    expect(result.session).to.include({ state: 'resumed' });
  });

  it('asks the ledger for no other client, and says that it is one of several', async () => {
    confirm = DEPOSED;
    const client = await server.connect();
    expect(await client.ask('hello', { protocol: 1, redirect: true, confirm: false })).to.include({ clustered: true });
    expect(await client.ask('ping', {})).to.deep.equal({ status: 'ok' });
    expect(askedCount).to.equal(0);
  });

  it('answers at once where it is the only server', async () => {
    const client = await (await startServer()).connect();
    expect(await client.ask('ping', { confirm: true })).to.deep.equal({ status: 'ok' });
    expect(await client.ask('hello', { protocol: 1, confirm: true })).not.to.have.property('clustered');
  });
});
