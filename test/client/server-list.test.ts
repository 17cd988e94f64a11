import { join } from 'node:path';
import { expect } from 'chai';
import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import { LockError, LockUnreachableError } from '../../lib/client/lock-error.ts';
import { MessageError } from '../../lib/message/message-error.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { unix } from '../../lib/transports/unix.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { endTest, makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { startServerProgram } from '../server/running-program.ts';
import { LOOPBACK, portOf, type RunningServer, startServer } from '../server/running-server.ts';
import { freePort } from '../support/free-port.ts';
import { RawServer } from '../support/raw-server.ts';
import { errorOf, rejects } from '../support/rejection.ts';
import { StandbyServer } from '../support/standby-server.ts';
import { Authority } from '../transports/certificates.ts';
import { AT_ONCE, emitted, whenLost } from './client-scene.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { listen } from './plain-listener.ts';

const at = (port: number): string => `127.0.0.1:${port}`;

/** A server that accepts connections and answers nothing. Counts those that are open. */
async function startSilent(): Promise<{ readonly address: string; readonly open: Set<unknown> }> {
  const open = new Set<unknown>();
  const port = await listen((socket) => {
    open.add(socket);
    socket.resume().on('close', () => open.delete(socket));
    socket.on('end', () => socket.end());
  });
  return { address: at(port), open };
}

/** A server that answers as one of HTTP. */
async function listenAsPage(): Promise<number> {
  return await listen((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
}

function clientOf(servers: readonly string[], options: LockClientOptions = {}): LockClient {
  const client = new LockClient({ servers, reconnect: AT_ONCE, ...options });
  whenTestEnds(() => client.close());
  return client;
}

describe('a client of several servers', () => {
  let leader: RunningServer;
  let address: string;

  beforeEach(async () => {
    leader = await startServer();
    address = at(leader.port);
  });
  afterEach(endTest);

  /** The leader has granted it a lock. */
  async function isServed(client: LockClient): Promise<void> {
    const handle = await client.lock('jobs');
    const { holders } = await (await leader.client()).inspect('jobs');
    expect(holders.map(({ token }) => token)).to.deep.equal([handle.token]);
    await handle.release();
  }

  it('goes where a server that stands by sends it, and comes back to the leader first', async () => {
    const standby = await StandbyServer.start();
    const proxy = await DelayingProxy.start(leader.port);
    standby.findsLeader(at(proxy.port));
    const client = clientOf([standby.address]);
    await using handle = await client.lock('jobs');
    expect(standby.acceptedCount).to.equal(1);
    const resumed = emitted(client, 'resume');
    proxy.reset();
    await resumed;
    expect(await handle.confirm()).to.equal(true);
    expect(standby.acceptedCount).to.equal(1);
  });

  it('passes over servers that are down, know no leader, are no lock servers, or send it nowhere', async () => {
    const standby = await StandbyServer.start();
    const lost = await StandbyServer.start();
    lost.findsLeader('nowhere');
    const page = await listenAsPage();
    const closing = await listen((socket) => void socket.destroy());
    const others = [at(await freePort()), standby.address, lost.address, at(page), at(closing)];
    await isServed(clientOf([...others, address]));
  });

  it('asks the next one while one is silent, and leaves that', async () => {
    const silent = await startSilent();
    const client = clientOf([silent.address, address]);
    await isServed(client);
    await client.close();
    while (silent.open.size > 0) await new Promise(setImmediate);
  });

  it('asks the next one while one is stopped', async () => {
    const { program, port } = await startServerProgram();
    program.signal('SIGSTOP');
    await isServed(clientOf([at(port), address]));
  });

  it('begins its next attempt with those for which there was no time', async () => {
    const silent = await Promise.all([startSilent(), startSilent(), startSilent()]);
    await isServed(clientOf([...silent.map((each) => each.address), address], { connectTimeoutMs: 400 }));
  });

  it('waits for a leader as long as there is none, although one of them is no lock server', async () => {
    const standby = await StandbyServer.start();
    const client = clientOf([standby.address, at(await freePort()), at(await listenAsPage())]);
    const failed = emitted(client, 'error');
    const locked = client.lock('jobs');
    expect(await failed)
      .to.be.instanceOf(LockUnreachableError)
      .with.property('message')
      .that.matches(
        /^none of the servers leads: 127\S+: .*: no server leads the cluster; 127.* ECONNREFUSED .*; 127.* not JSON: /,
      );
    standby.findsLeader(address);
    expect((await locked).isHeld).to.equal(true);
  });

  it('fails when all are down, or silent', async () => {
    const down = [at(await freePort()), at(await freePort())];
    const client = clientOf(down);
    expect(await errorOf(client.connect())).to.include({ code: 'ECONNREFUSED' });
    const error = await rejects(client.lock('jobs', { waitMs: 1 }), LockUnreachableError);
    for (const each of down) expect(error.message).to.include(each);
    const { address: silent } = await startSilent();
    const connecting = clientOf([silent, ...down], { connectTimeoutMs: 30 }).connect();
    await rejects(connecting, LockUnreachableError, 'no server could be asked: no connection within 30 ms');
  });

  it('fails at once when no attempt at any of them can succeed', async () => {
    const page = await listenAsPage();
    const other = await listen((socket) => void socket.end('SSH-2.0\r\n'));
    await rejects(clientOf([at(page), at(other)]).lock('jobs'), LockError, { code: 'protocol' });
  });

  it('ends when servers send it round in a circle, or ever further', async () => {
    const chain = await Promise.all([1, 2, 3, 4, 5].map(() => StandbyServer.start()));
    for (const [index, standby] of chain.entries()) standby.findsLeader(chain[index + 1]?.address ?? address);
    const [first, second, , , last] = chain as [
      StandbyServer,
      StandbyServer,
      StandbyServer,
      StandbyServer,
      StandbyServer,
    ];
    await rejects(clientOf([first.address]).connect(), LockUnreachableError, /names one more$/);
    expect(chain.map(({ acceptedCount }) => acceptedCount)).to.deep.equal([1, 1, 1, 1, 0]);
    second.findsLeader(first.address);
    await rejects(clientOf([first.address, second.address]).connect(), LockUnreachableError, /: asked already$/);
    expect([first, second, last].map(({ acceptedCount }) => acceptedCount)).to.deep.equal([2, 2, 0]);
  });

  it('keeps what it holds while one of them answers, until it cannot be sure; no answer of that one moves its deadline', async () => {
    const kept = await startServer({ minSessionTimeoutMs: 1_000 });
    const proxy = await DelayingProxy.start(kept.port);
    const standby = await StandbyServer.start();
    const client = clientOf([at(proxy.port), standby.address], { session: { timeoutMs: 1_000 } });
    const lost = whenLost(await client.lock('jobs'));
    proxy.refuse();
    proxy.cut();
    expect(await lost).to.include({ code: 'unconfirmed' });
    expect(standby.acceptedCount).to.be.above(1);
  });

  it('loses what it holds when nobody listens at any of them, since that ends with the server', async () => {
    const { program, port } = await startServerProgram();
    const lost = whenLost(await clientOf([at(port), at(await freePort())]).lock('jobs'));
    program.signal('SIGKILL');
    expect(await lost).to.include({ code: 'connectionLost' });
  });

  it('keeps its lock when another server leads that has the sessions', async () => {
    const state = join(makeFolder(), 'state');
    const standby = await StandbyServer.start();
    const first = await startServerProgram('--state', state);
    standby.findsLeader(at(first.port));
    const client = clientOf([standby.address, at(first.port)]);
    const handle = await client.lock('jobs');
    const suspended = emitted(client, 'suspend');
    standby.losesLeader('noLeader');
    first.program.signal('SIGKILL');
    await suspended;
    await first.program.exit;
    const second = await startServerProgram('--state', state);
    const resumed = emitted(client, 'resume');
    standby.findsLeader(at(second.port));
    await resumed;
    expect(await handle.confirm()).to.equal(true);
    expect((await client.inspect('jobs')).holders.map(({ token }) => token)).to.deep.equal([handle.token]);
  });

  it('reaches them by Unix sockets, WebSocket and TLS, and a leader as the one that told of it', async () => {
    const path = join(makeFolder(), 'lock');
    await leader.server.listen(unix({ path }));
    const frames = { origins: [], hosts: [], maxMessageBytes: 65_536 };
    const webPort = portOf(await leader.server.listen(webSocket({ ...LOOPBACK, ...frames })));
    for (const place of [`unix:${path}`, `ws://127.0.0.1:${webPort}`]) await isServed(clientOf([place]));

    const authority = new Authority();
    const listener = (): ReturnType<typeof tcp> => tcp({ ...LOOPBACK, tls: authority.issue('server') });
    const securePort = portOf(await leader.server.listen(listener()));
    const standby = await StandbyServer.start(listener());
    standby.findsLeader(`localhost:${securePort}`);
    await isServed(clientOf([standby.address], { tls: { ca: authority.cert } }));
  });
});

describe('a client of a single server', () => {
  afterEach(endTest);

  it('does not say that it can go elsewhere', async () => {
    const server = await RawServer.listen();
    whenTestEnds(() => server.close());
    const client = new LockClient({ port: server.port });
    const connecting = client.connect();
    const { parameters } = await (await server.accept()).next();
    expect(parameters).to.include({ protocol: 1 }).and.not.to.have.property('redirect');
    await client.close();
    await rejects(connecting, MessageError, { code: 'closed' });
  });

  it('tries again where no server leads', async () => {
    const standby = await StandbyServer.start();
    const client = new LockClient({ port: standby.port });
    whenTestEnds(() => client.close());
    await rejects(client.connect(), LockUnreachableError, /: no server leads the cluster$/);
    const locked = client.lock('jobs', { waitMs: 20 });
    await rejects(locked, LockUnreachableError, /: no connection within 20 ms: .* no server leads the cluster$/);
  });
});
