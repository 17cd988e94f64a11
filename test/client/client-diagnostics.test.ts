import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect } from 'chai';
import type { LockDiagnostics } from '../../lib/client/client-diagnostics.ts';
import { serverForEachTest } from '../server/running-server.ts';
import { rejection } from '../support/rejection.ts';

type Message = Partial<LockDiagnostics[keyof LockDiagnostics]> & { readonly kind: keyof LockDiagnostics };

describe('channels of node:diagnostics_channel', () => {
  const server = serverForEachTest({}, undefined, { forceUnlock: true });
  const kinds = ['request', 'grant', 'failure', 'loss', 'release'] as const;
  let messages: Message[] = [];
  const listeners = kinds.map((kind) => {
    const listener = (message: unknown): void => void messages.push({ kind, ...(message as object) });
    return [`holdfast:${kind}`, listener] as const;
  });

  beforeEach(() => {
    messages = [];
    for (const [name, listener] of listeners) subscribe(name, listener);
  });
  afterEach(() => {
    for (const [name, listener] of listeners) unsubscribe(name, listener);
  });

  it('tell of a request, its grant and the release, with the same request', async () => {
    const client = await server.client();
    const handle = await client.lock('jobs', { owner: 'worker', waitMs: 5_000 });
    await handle.release();
    const request = {
      command: 'lock',
      locks: [{ name: 'jobs', mode: 'exclusive', limit: undefined }],
      owner: 'worker',
      waitMs: 5_000,
    };
    const hold = { name: 'jobs', mode: 'exclusive', token: handle.token };
    expect(messages).to.deep.equal([
      { kind: 'request', request },
      { kind: 'grant', request, holds: [hold] },
      { kind: 'release', request, hold },
    ]);
    expect(new Set(messages.map((message) => message.request)).size).to.equal(1);
  });

  it('tell of each lock that lockAll took', async () => {
    const client = await server.client();
    await using _set = await client.lockAll(['a', 'b']);
    expect(messages.map(({ kind }) => kind)).to.deep.equal(['request', 'grant']);
    expect(messages[1]).to.have.property('holds').with.length(2);
  });

  it('tell that a lock was lost, and why', async () => {
    const client = await server.client();
    const { signal, token } = await client.lock('jobs');
    const lost = new Promise((resolve) => signal.addEventListener('abort', resolve));
    await client.forceUnlock('jobs');
    await lost;
    expect(messages.at(-1)).to.deep.include({
      kind: 'loss',
      code: 'forced',
      hold: { name: 'jobs', mode: 'exclusive', token },
    });
  });

  it('tell why a request was not granted', async () => {
    const [holder, client] = [await server.client(), await server.client()];
    await using _held = await holder.lock('jobs');
    messages = [];
    const error = await rejection(client.lock('jobs', { waitMs: 1 }));
    expect(await client.tryLock('jobs')).to.equal(null);
    const errors = messages
      .filter(({ kind }) => kind === 'failure')
      .map((failure) => 'error' in failure && failure.error);
    expect(errors).to.deep.equal([error, undefined]);
  });
});
