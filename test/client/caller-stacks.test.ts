import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { LockInvalidError } from '../../lib/client/lock-error.ts';
import { MessageClient } from '../../lib/message/message-client.ts';
import { LockServer } from '../../lib/server/lock-server.ts';
import { dialTcp, tcp } from '../../lib/transports/tcp.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { freePort } from '../support/free-port.ts';
import { rejection } from './rejection.ts';

const wrong = <Value>(value: unknown): Value => value as Value;

describe('the stack of an error', () => {
  let server: RunningServer;
  let client: LockClient;

  beforeEach(async () => {
    server = await startServer();
    client = await server.client();
  });
  afterEach(endTest);

  /** Makes the calls from a function of that name, as an application does. */
  async function failureOf(caller: string, call: () => Promise<unknown>): Promise<Error> {
    const functions = {
      async [caller]() {
        await call();
      },
    };
    return (await rejection((functions[caller] as () => Promise<void>)())) as Error;
  }

  it('leads to the caller, wherever the error was noticed', async () => {
    await client.lock('held');
    const handle = await client.lock('mine');
    const port = await freePort();
    const messages = new MessageClient();
    await messages.connect(dialTcp({ host: '127.0.0.1', port: server.port }));
    whenTestEnds(() => messages.close());
    const calls: Record<string, () => Promise<unknown>> = {
      lock: () => client.lock('held', { waitMs: 5 }),
      locked: () => client.locked('held', () => {}, { waitMs: 5 }),
      lockAll: () => client.lockAll(['held'], { waitMs: 5 }),
      lockedAll: () => client.lockedAll(['held'], () => {}, { waitMs: 5 }),
      lockOfHandle: () => handle.lock('held', { waitMs: 5 }),
      invalid: () => client.tryLock(wrong(5)),
      list: () => client.list({ max: -1 }),
      inspect: () => client.inspect(wrong(5)),
      forceUnlock: () => client.forceUnlock('held'),
      rpc: () => client.rpc('lock', { lockName: 'held', owner: 'x' }, { timeoutMs: 5 }),
      rpcOfMessages: () => messages.rpc('lock', { lockName: 'held' }, { timeoutMs: 5 }),
      connect: () => LockClient.connect({ port }),
      connectLater: () => new LockClient({ port }).connect(),
      terms: () => client.terms(wrong(5)).next(),
      listen: () => new LockServer().listen(tcp({ host: '127.0.0.1', port: server.port, allowed: [] })),
    };
    for (const [name, call] of Object.entries(calls)) {
      expect((await failureOf(`caller_${name}`, call)).stack, name).to.include(`caller_${name}`);
    }
  });

  it('differs for each call when one loss ends several calls', async () => {
    await client.lock('held');
    const waiter = await server.client({ reconnect: false });
    const names = ['caller_one', 'caller_two'];
    const failures = names.map((name) => failureOf(name, () => waiter.rpc('lock', { lockName: 'held', owner: name })));
    await waiter.rpc('ping');
    await waiter.close();
    const stacks = (await Promise.all(failures)).map(({ stack = '' }) => names.filter((name) => stack.includes(name)));
    expect(stacks).to.deep.equal([['caller_one'], ['caller_two']]);
  });

  it('is not changed for the caller’s own errors: the reason of a signal, and errors thrown by a function', async () => {
    await client.lock('held');
    const abort = new AbortController();
    const [reason, thrown] = [new Error('enough'), new Error('thrown')];
    const [reasonStack, thrownStack] = [reason.stack, thrown.stack];
    const waiting = rejection(client.lock('held', { signal: abort.signal }));
    abort.abort(reason);
    expect(await waiting).to.equal(reason);
    const run = (): never => {
      throw thrown;
    };
    expect(await rejection(client.locked('free', run))).to.equal(thrown);
    expect([reason.stack, thrown.stack]).to.deep.equal([reasonStack, thrownStack]);
  });

  it('comes with a text of limited length that says when the client waits for itself', async () => {
    const name = 'n'.repeat(50_000);
    const { owner } = await client.lock(name);
    const error = (await rejection(client.lock(name, { waitMs: 5 }))) as Error;
    expect(error.message).to.have.length.below(1_000);
    expect(error.message).to.include('this very client holds').and.include(`as owner ${owner}`);
    const other = await server.client();
    expect(((await rejection(other.lock(name, { waitMs: 5 }))) as Error).message).to.not.include('this very client');
  });
});

describe('listeners', () => {
  afterEach(endTest);

  it('of a signal and of the client run outside the context of any request', async () => {
    const storage = new AsyncLocalStorage<string>();
    const server = await startServer();
    const seen: unknown[] = [];
    // One request opens the connection, and another closes it.
    const client = new LockClient({ port: server.port });
    client.on('connect', () => seen.push(storage.getStore()));
    client.on('close', () => seen.push(storage.getStore()));
    const handle = await storage.run('first request', () => client.lock('a'));
    const aborted = once(handle.signal, 'abort');
    handle.signal.addEventListener('abort', () => seen.push(storage.getStore()));
    await storage.run('second request', () => client.close());
    await aborted;
    expect(seen).to.deep.equal([undefined, undefined, undefined]);
  });
});

describe('unknown options', () => {
  afterEach(endTest);

  it('are refused with the nearest known name', async () => {
    const client = await (await startServer()).client();
    const handle = await client.lock('mine');
    const calls: Record<string, [() => Promise<unknown>, string]> = {
      lock: [
        () => client.lock('a', wrong({ waitMS: 5 })),
        'options has "waitMS", which is not known; did you mean waitMs?',
      ],
      tryLock: [
        () => client.tryLock('a', wrong({ waitMs: 5 })),
        'options has "waitMs", which is not known; expected mode',
      ],
      lockAll: [() => client.lockAll(['a'], wrong({ leaseMS: 5 })), 'did you mean leaseMs?'],
      item: [
        () => client.lockAll([wrong({ name: 'a', mod: 'shared' })]),
        'locks[0] has "mod", which is not known; did you mean mode?',
      ],
      list: [() => client.list(wrong({ prefx: '' })), 'did you mean prefix?'],
      rpc: [() => client.rpc('ping', {}, wrong({ timeoutMS: 1 })), 'did you mean timeoutMs?'],
      close: [() => client.close(wrong({ drainMS: 1 })), 'did you mean drainMs?'],
      handle: [() => handle.lock('a', wrong({ owner: 'x' })), 'options has "owner", which is not known'],
      client: [() => LockClient.connect(wrong({ hots: 'x' })), 'did you mean host?'],
      reconnect: [
        () => LockClient.connect(wrong({ reconnect: { minDelay: 1 } })),
        'reconnect has "minDelay", which is not known; did you mean minDelayMs?',
      ],
    };
    for (const [name, [call, text]] of Object.entries(calls)) {
      const error = (await rejection(Promise.resolve().then(call))) as Error;
      expect(error, name).to.be.instanceOf(LockInvalidError);
      expect(error.message, name).to.include(text);
    }
    expect((await client.list()).locks.map(({ lockName }) => lockName)).to.deep.equal(['mine']);
  });

  it('and values of the wrong type are refused before anything happens', async () => {
    const client = await (await startServer()).client();
    const calls: (() => Promise<unknown>)[] = [
      () => client.lock(wrong(5)),
      () => client.lock('a', { mode: wrong('excl') }),
      () => client.lock('a', { owner: wrong(5) }),
      () => client.lock('a', { waitMs: wrong('5') }),
      () => client.lock('a', { signal: wrong({}) }),
      () => client.lock('a', { leaseMs: 0 }),
      () => client.lock('a', { mode: 'permit', limit: 0 }),
      () => client.locked('a', wrong(undefined)),
      () => client.tryLocked('a', wrong('run')),
      () => client.lockedAll(['a'], wrong(undefined)),
      () => client.lockAll(wrong('x')),
      () => client.lockAll([wrong(5)]),
      () => client.lockAll(['a'], { leaseMs: -1 }),
      () => client.rpc('ping', {}, { timeoutMs: -1 }),
      () => LockClient.connect({ tls: { ca: '/etc/ssl/ca.pem' } }),
    ];
    for (const call of calls) expect(await rejection(call()), String(call)).to.be.instanceOf(LockInvalidError);
    expect((await client.stats()).requests.lock).to.equal(0);
  });

  it('and a certificate given as a path are refused; the error asks for the text of the file', async () => {
    const error = (await rejection(LockClient.connect({ tls: { ca: '/etc/ssl/ca.pem' } }))) as Error;
    expect(error.message).to.include('tls.ca is "/etc/ssl/ca.pem"; expected the text of a file in PEM');
  });
});
