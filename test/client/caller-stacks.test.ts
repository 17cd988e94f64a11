import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { MessageClient } from '../../lib/message/message-client.ts';
import { LockServer } from '../../lib/server/lock-server.ts';
import { dialTcp, tcp } from '../../lib/transports/tcp.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import { freePort } from '../support/free-port.ts';
import { rejection } from '../support/rejection.ts';
import { client, clientScene, lazyClient, other, server } from './client-scene.ts';

const wrong = <Value>(value: unknown): Value => value as Value;

describe('the stack of an error', () => {
  clientScene();

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
    expect(((await rejection(other.lock(name, { waitMs: 5 }))) as Error).message).to.not.include('this very client');
  });
});

describe('listeners', () => {
  clientScene();

  it('of a signal and of the client run outside the context of any request', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    // One request opens the connection, and another closes it.
    const lazy = lazyClient();
    lazy.on('connect', () => seen.push(storage.getStore()));
    lazy.on('close', () => seen.push(storage.getStore()));
    const handle = await storage.run('first request', () => lazy.lock('a'));
    const aborted = once(handle.signal, 'abort');
    handle.signal.addEventListener('abort', () => seen.push(storage.getStore()));
    await storage.run('second request', () => lazy.close());
    await aborted;
    expect(seen).to.deep.equal([undefined, undefined, undefined]);
  });
});
