import { expect } from 'chai';
import type { RawClient } from '../server/raw-client.ts';
import { COUNTER_COMMANDS, CounterServer } from '../support/counter-server.ts';
import { messageScope } from '../support/message-scope.ts';

const NEUTRAL = { status: 'internal', message: 'the server failed to carry out the command' };

describe('MessageServer: results', () => {
  const scope = messageScope();
  let server: CounterServer;
  let peer: RawClient;

  beforeEach(async () => {
    server = await scope.startServer({ maxPendingRequests: 3 });
    peer = await scope.connectPeer();
  });

  class Odd extends CounterServer {
    get commandSubtract(): number {
      return 1;
    }
  }
  for (const [what, Server] of [
    ['has no method', CounterServer],
    ['is a property but no method', Odd],
  ] as const) {
    it(`cannot be made when a command ${what}`, () => {
      const commands = { ...COUNTER_COMMANDS, subtract: { parameters: {} } };
      expect(() => new Server({ commands, limits: {}, logger: scope.logger })).to.throw(
        'command subtract has no method commandSubtract',
      );
    });
  }

  it('answers with a neutral error when a handler throws, logs the cause and goes on', async () => {
    expect(await peer.request('fail', { detail: 'a secret' }, 1)).to.deep.equal({ id: 1, error: NEUTRAL });
    const [entry, ...more] = scope.logger.at('error');
    expect(entry?.details).to.include({ command: 'fail' });
    expect(entry).to.have.nested.property('details.err.message', 'a secret');
    expect(more).to.deep.equal([]);
    expect(server.counters.failedRequests).to.equal(1);
    expect(await peer.request('add', {}, 2)).to.deep.equal({ id: 2, result: { status: 'ok', count: 1 } });
  });

  it('logs the cause even if the request had no id', async () => {
    peer.send({ command: 'fail', parameters: { detail: 'a secret' } }, { command: 'reject', parameters: {} });
    await peer.settle();
    await peer.settle();
    expect(scope.logger.at('error').map(({ details }) => (details.err as Error).message)).to.deep.equal([
      'a secret',
      'a secret',
    ]);
  });

  it('answers with the RequestError that a handler throws, and does not log it', async () => {
    const error = { status: 'limit', message: 'there is enough of it' };
    expect(await peer.request('refuse', {}, 1)).to.deep.equal({ id: 1, error });
    expect(scope.logger.at('error')).to.deep.equal([]);
    expect(server.counters.failedRequests).to.equal(0);
  });

  for (const command of ['wait', 'promise']) {
    it(`answers with the result of a ${command === 'wait' ? 'pending result' : 'promise'} when it comes`, async () => {
      peer.send({ command, parameters: { key: 'a' }, id: 1 });
      expect(await peer.request('add', {}, 2)).to.have.property('id', 2);
      const other = await scope.connectPeer();
      await other.request('release', { key: 'a' }, 1);
      expect(await peer.next()).to.deep.equal({ id: 1, result: { status: 'ok', released: 'a' } });
    });

    it(`sends no result of a ${command === 'wait' ? 'pending result' : 'promise'} without an id`, async () => {
      peer.send({ command, parameters: { key: 'a' } }, { command: 'release', parameters: { key: 'a' }, id: 1 });
      expect(await peer.next()).to.deep.equal({ id: 1, result: { status: 'ok' } });
      await peer.settle();
    });
  }

  it('answers in the turn that settles a pending result, before the request that settles it', async () => {
    peer.send(
      { command: 'wait', parameters: { key: 'a' }, id: 1 },
      { command: 'release', parameters: { key: 'a' }, id: 2 },
    );
    expect((await peer.nextMany(2)).map(({ id }) => id)).to.deep.equal([1, 2]);
  });

  it('answers in any order', async () => {
    for (const key of ['a', 'b', 'c']) peer.send({ command: 'wait', parameters: { key }, id: key });
    for (const key of ['c', 'a', 'b']) peer.send({ command: 'release', parameters: { key } });
    expect((await peer.nextMany(3)).map(({ id }) => id)).to.deep.equal(['c', 'a', 'b']);
  });

  it('answers a rejected promise with a neutral error, and a RequestError with its own', async () => {
    expect(await peer.request('reject', {}, 1)).to.deep.equal({ id: 1, error: NEUTRAL });
    expect(await peer.request('reject', { politely: true }, 2)).to.deep.equal({
      id: 2,
      error: { status: 'invalid', message: 'not like that' },
    });
    expect(scope.logger.at('error')).to.have.length(1);
  });

  it('answers with a neutral error when a pending result cannot be sent, and serves the client that settled it', async () => {
    peer.send({ command: 'odd', parameters: { kind: 'pending' }, id: 1 });
    const other = await scope.connectPeer();
    await peer.settle();
    expect(await other.request('release', { key: 'odd' }, 2)).to.deep.equal({ id: 2, result: { status: 'ok' } });
    expect(await peer.next()).to.deep.equal({ id: 1, error: NEUTRAL });
    expect(scope.logger.at('error')).to.have.length(1);
  });

  it('refuses a request when too many are pending, but serves immediate commands', async () => {
    for (const key of ['a', 'b', 'c']) peer.send({ command: 'wait', parameters: { key }, id: key });
    const result = { status: 'limit', limit: 'maxPendingRequests', value: 3 };
    expect(await peer.request('wait', { key: 'd' }, 'd')).to.deep.equal({ id: 'd', result });
    expect(await peer.request('add', {}, 1)).to.deep.equal({ id: 1, result });
    expect(await peer.request('echo', { value: 1 }, 2)).to.deep.equal({ id: 2, result: { status: 'ok', value: 1 } });
    expect(server.waitCount).to.equal(3);
    expect(server.count).to.equal(0);
  });

  it('counts pending requests without an id, too', async () => {
    for (let count = 0; count < 3; count += 1) peer.send({ command: 'promise', parameters: { key: 'a' } });
    expect(await peer.request('add', {}, 1)).to.have.nested.property('result.limit', 'maxPendingRequests');
    peer.send({ command: 'add', parameters: {} });
    await peer.settle();
    expect(server.count).to.equal(0);
    await peer.request('release', { key: 'a' }, 2);
    expect(await peer.request('add', {}, 3)).to.have.nested.property('result.count', 1);
  });

  it('serves that client again after one answer, and other clients all the time', async () => {
    for (const key of ['a', 'b', 'c']) peer.send({ command: 'promise', parameters: { key }, id: key });
    expect(await peer.request('add', {}, 1)).to.have.nested.property('result.status', 'limit');
    const other = await scope.connectPeer();
    expect(await other.request('add', {}, 1)).to.have.nested.property('result.status', 'ok');
    await other.request('release', { key: 'b' }, 2);
    expect(await peer.next()).to.have.property('id', 'b');
    expect(await peer.request('add', {}, 2)).to.have.nested.property('result.status', 'ok');
  });

  it('counts pending requests only while they are pending', async () => {
    for (let count = 0; count < 20; count += 1) {
      peer.send({ command: 'wait', parameters: { key: 'a' }, id: 1 }, { command: 'release', parameters: { key: 'a' } });
      expect(await peer.next()).to.have.nested.property('result.status', 'ok');
      await peer.request('reject', {}, 1);
    }
    expect(await peer.request('add', {}, 1)).to.have.nested.property('result.status', 'ok');
  });
});
