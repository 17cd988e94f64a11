import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import type { Call, CallWatcher } from '../../lib/message/call.ts';
import { MessageClient, type RpcResult } from '../../lib/message/message-client.ts';
import { MessageError } from '../../lib/message/message-error.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import type { RawClient } from '../server/raw-client.ts';
import { messageScope } from '../support/message-scope.ts';
import { errorOf } from '../support/rejection.ts';

const FOREVER = Number.POSITIVE_INFINITY;

/** Watches all its calls. */
class CuriousClient extends MessageClient implements CallWatcher {
  readonly learnt: unknown[] = [];

  override call<Result>(call: Call<Result>): Promise<Result> {
    return super.call({ ...call, watcher: this });
  }

  gaveUp({ command }: Call<unknown>, id: number): void {
    this.learnt.push({ gaveUp: command, id });
  }

  answeredLate({ command }: Call<unknown>, result: RpcResult | undefined): void {
    this.learnt.push({ late: command, result });
  }
}

describe('MessageClient: calls to a message server', () => {
  const scope = messageScope();

  beforeEach(async () => {
    await scope.startServer();
  });

  it('resolves to the result of a command', async () => {
    const client = await scope.connectClient();
    expect(await client.rpc('add', { amount: 3 })).to.deep.equal({ status: 'ok', count: 3 });
    expect(await client.rpc('add')).to.deep.equal({ status: 'ok', count: 4 });
    const value = 'é😀\ud800\udcff';
    expect(await client.rpc('echo', { value })).to.deep.equal({ status: 'ok', value });
  });

  it('resolves to a result of any status', async () => {
    const client = await scope.connectClient();
    expect(await client.rpc('add', { amount: 'x' })).to.have.property('status', 'invalid');
    expect(await client.rpc('subtract')).to.have.property('status', 'unknownCommand');
  });

  it('rejects with the status of an error reply', async () => {
    const client = await scope.connectClient();
    expect(await errorOf(client.rpc('refuse'))).to.include({ code: 'limit', message: 'there is enough of it' });
    expect(await errorOf(client.rpc('reject', { politely: true }))).to.include({ code: 'invalid' });
    const failure = await errorOf(client.rpc('fail', { detail: 'a secret' }));
    expect(failure).to.include({ name: 'MessageError', code: 'internal' });
    expect(failure.message).to.equal('the server failed to carry out the command');
  });

  it('has many calls in flight, with answers in any order', async () => {
    const client = await scope.connectClient();
    const keys = Array.from({ length: 1_000 }, (_, index) => `key ${index}`);
    const calls = keys.map((key) => client.rpc('wait', { key }));
    for (const key of [...keys].sort(() => Math.random() - 0.5)) client.notify('release', { key });
    const expected = keys.map((released) => ({ status: 'ok', released }));
    expect(await Promise.all(calls)).to.deep.equal(expected);
  });

  it('sends notifications, which are not answered', async () => {
    const client = await scope.connectClient();
    for (let count = 0; count < 3; count += 1) client.notify('add', { amount: 10 });
    expect(await client.rpc('add')).to.have.property('count', 31);
  });

  it('takes messages of many megabytes', async () => {
    const client = await scope.connectClient();
    expect(await client.rpc('blob', { bytes: 10_000_000 }))
      .to.have.property('blob')
      .with.length(10_000_000);
  });

  it('emits events', async () => {
    const client = await scope.connectClient();
    await client.rpc('add');
    const events: unknown[] = [];
    client.on('event', (event) => events.push(event));
    await (await scope.connectClient()).rpc('broadcast', { count: 2 });
    await client.rpc('add');
    expect(events).to.deep.equal([
      { event: 'tick', number: 1, blob: '' },
      { event: 'tick', number: 2, blob: '' },
    ]);
  });
});

describe('MessageClient: options that it does not know', () => {
  const scope = messageScope();

  const wrong = (options: object): object => options;

  it('make no client, and the error suggests a known option', () => {
    expect(() => new MessageClient(wrong({ requestTimeout: 5 })))
      .to.throw(MessageError, 'options has "requestTimeout", which is not known; did you mean requestTimeoutMs?')
      .with.property('code', 'invalid');
    const known = 'maxMessageBytes, maxPendingRequests, maxUnsentBytes, requestTimeoutMs';
    expect(() => new MessageClient(wrong({ host: 'a' }))).to.throw(
      MessageError,
      `options has "host", which is not known; expected ${known}`,
    );
  });

  it('are refused by connect, and connect can be called again', async () => {
    const server = await scope.startRawServer();
    const client = new MessageClient();
    whenTestEnds(() => client.close());
    const refused = await errorOf(client.connect(server.dial, wrong({ connectTimeout: 5 })));
    expect(refused).to.be.instanceOf(MessageError).with.property('code', 'invalid');
    expect(refused.message).to.equal(
      'options has "connectTimeout", which is not known; did you mean connectTimeoutMs?',
    );
    await client.connect(server.dial);
    expect(client.state).to.equal('open');
  });

  it('are refused by rpc, and nothing is sent', async () => {
    const { client, peer } = await scope.connectByHand(new MessageClient());
    const refused = await errorOf(client.rpc('a', {}, wrong({ timeout: 5 })));
    expect(refused).to.be.instanceOf(MessageError).with.property('code', 'invalid');
    expect(refused.message).to.equal('options has "timeout", which is not known; did you mean timeoutMs?');
    client.notify('b');
    expect(await peer.next()).to.have.property('command', 'b');
  });
});

describe('MessageClient: calls that end early', () => {
  const scope = messageScope();
  let client: CuriousClient;
  let peer: RawClient;

  beforeEach(async () => {
    ({ client, peer } = await scope.connectByHand(new CuriousClient({ maxPendingRequests: 3 })));
  });

  /** Returns once the peer has received everything before. */
  async function sync(): Promise<void> {
    const call = client.rpc('sync', {}, { timeoutMs: FOREVER });
    for (;;) {
      const { command, id } = await peer.next();
      if (command !== 'sync') continue;
      peer.send({ id, result: { status: 'ok' } });
      await call;
      return;
    }
  }

  it('gives every request an id of its own', async () => {
    const calls = [client.rpc('a'), client.rpc('b', { c: 1 })];
    const requests = await peer.nextMany(2);
    expect(requests).to.deep.equal([
      { command: 'a', parameters: {}, id: 1 },
      { command: 'b', parameters: { c: 1 }, id: 2 },
    ]);
    peer.send({ id: 2, result: { status: 'second' } }, { id: 1, result: { status: 'first' } });
    expect((await Promise.all(calls)).map(({ status }) => status)).to.deep.equal(['first', 'second']);
  });

  it('rejects with timeout when no result comes in time, and reports a late one', async () => {
    const error = await errorOf(client.rpc('slow', {}, { timeoutMs: 1 }));
    expect(error).to.include({ name: 'MessageError', code: 'timeout' });
    expect(error.message).to.equal('no result of slow within 1 ms');
    const { id } = await peer.next();
    expect(client.learnt).to.deep.equal([{ gaveUp: 'slow', id }]);
    peer.send({ id, result: { status: 'ok', token: 1 } });
    await sync();
    expect(client.learnt.slice(1)).to.deep.equal([{ late: 'slow', result: { status: 'ok', token: 1 } }]);
  });

  it('reports a late answer once, whether it is a result or an error', async () => {
    await errorOf(client.rpc('slow', {}, { timeoutMs: 1 }));
    await errorOf(client.rpc('slow', {}, { timeoutMs: 1 }));
    peer.send({ id: 1, result: { status: 'ok' } }, { id: 1, result: { status: 'ok' } });
    peer.send({ id: 2, error: { status: 'invalid', message: 'no' } });
    await sync();
    expect(client.learnt.slice(2)).to.deep.equal([
      { late: 'slow', result: { status: 'ok' } },
      { late: 'slow', result: undefined },
    ]);
  });

  it('settles no later call by a late or repeated answer', async () => {
    await errorOf(client.rpc('slow', {}, { timeoutMs: 1 }));
    const { id } = await peer.next();
    for (let count = 0; count < 100; count += 1) await sync();
    peer.send({ id, result: { status: 'late' } });
    await sync();
    for (let count = 0; count < 100; count += 1) {
      const call = client.rpc('fast', {}, { timeoutMs: FOREVER });
      const request = await peer.next();
      expect(request.id).to.be.greaterThan(id as number);
      peer.send({ id, result: { status: 'twice' } }, { id: request.id, result: { status: 'its own' } });
      expect(await call).to.deep.equal({ status: 'its own' });
    }
    expect(client.learnt).to.deep.equal([
      { gaveUp: 'slow', id },
      { late: 'slow', result: { status: 'late' } },
    ]);
  });

  it('waits for ever for a call without a limit', async () => {
    const slow = client.rpc('slow', {}, { timeoutMs: FOREVER });
    await errorOf(client.rpc('fast', {}, { timeoutMs: 5 }));
    await sync();
    peer.send({ id: 1, result: { status: 'ok' } });
    expect(await slow).to.deep.equal({ status: 'ok' });
  });

  it('rejects a time that is no valid one', async () => {
    for (const timeoutMs of [-1, Number.NaN]) {
      expect(await errorOf(client.rpc('a', {}, { timeoutMs }))).to.be.instanceOf(RangeError);
    }
    await sync();
    expect(client.learnt).to.deep.equal([]);
  });

  it('rejects with the reason of an aborted signal, and sends nothing', async () => {
    const reason = new Error('no longer wanted');
    expect(await errorOf(client.rpc('a', {}, { signal: AbortSignal.abort(reason) }))).to.equal(reason);
    const call = client.rpc('b');
    expect(await peer.next()).to.deep.equal({ command: 'b', parameters: {}, id: 1 });
    peer.send({ id: 1, result: { status: 'ok' } });
    await call;
    expect(client.learnt).to.deep.equal([]);
  });

  it('rejects with the reason when its signal aborts, and reports the late result', async () => {
    const reason = new Error('no longer wanted');
    const controller = new AbortController();
    const failed = errorOf(client.rpc('slow', {}, { signal: controller.signal, timeoutMs: FOREVER }));
    const { id } = await peer.next();
    controller.abort(reason);
    expect(await failed).to.equal(reason);
    peer.send({ id, result: { status: 'ok' } });
    await sync();
    expect(client.learnt).to.deep.equal([
      { gaveUp: 'slow', id },
      { late: 'slow', result: { status: 'ok' } },
    ]);
  });

  it('changes nothing when the signal is aborted after the result', async () => {
    const controller = new AbortController();
    const call = client.rpc('a', {}, { signal: controller.signal });
    await peer.next();
    peer.send({ id: 1, result: { status: 'ok' } });
    await call;
    controller.abort();
    await sync();
    expect(client.learnt).to.deep.equal([]);
  });

  it('leaves no listener on a signal, whichever way a call ends', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const expectNone = (): void => {
      expect(getEventListeners(signal, 'abort')).to.deep.equal([]);
    };
    const calls = [client.rpc('a', {}, { signal }), errorOf(client.rpc('b', {}, { signal }))];
    expect(getEventListeners(signal, 'abort')).to.have.length(1);
    peer.send({ id: 1, result: { status: 'ok' } }, { id: 2, error: { status: 'invalid' } });
    await Promise.all(calls);
    expectNone();
    for (const [parameters, options] of [
      [{}, { timeoutMs: 1 }],
      [{}, { timeoutMs: -1 }],
      [{ value: 1n }, {}],
    ] as const) {
      await errorOf(client.rpc('c', parameters, { signal, ...options }));
      expectNone();
    }
    const lost = errorOf(client.rpc('lost', {}, { signal }));
    await sync();
    peer.reset();
    await lost;
    expectNone();
    await errorOf(client.rpc('closed', {}, { signal }));
    expectNone();
  });

  it('rejects calls above maxPendingRequests, and counts those that gave up without an answer', async () => {
    const slow = client.rpc('a', {}, { timeoutMs: FOREVER });
    await errorOf(client.rpc('b', {}, { timeoutMs: 1 }));
    await errorOf(client.rpc('c', {}, { timeoutMs: 1 }));
    expect(await errorOf(client.rpc('d'))).to.include({ name: 'MessageError', code: 'limit' });
    expect(await peer.nextMany(3)).to.have.length(3);
    peer.send({ id: 1, result: { status: 'ok' } });
    await slow;
    await sync();
  });

  it('forgets a call if its parameters cannot be sent', async () => {
    for (let count = 0; count < 5; count += 1) {
      expect(await errorOf(client.rpc('a', { value: 1n }))).to.be.instanceOf(TypeError);
    }
    await sync();
  });
});
