import { expect } from 'chai';
import { CONNECTION_REFUSALS } from '../../lib/message/refusals.ts';
import type { Message, RawClient } from '../server/raw-client.ts';
import type { CounterServer } from '../support/counter-server.ts';
import { messageScope } from '../support/message-scope.ts';
import { refusalsOf } from '../support/refusals.ts';

describe('MessageServer: requests', () => {
  const scope = messageScope();
  let server: CounterServer;
  let peer: RawClient;

  beforeEach(async () => {
    server = await scope.startServer({ maxMessageBytes: 1_000_000 });
    peer = await scope.connectPeer();
  });

  it('carries out a command by the method of its name', async () => {
    expect(await peer.request('add', { amount: 2 }, 1)).to.deep.equal({ id: 1, result: { status: 'ok', count: 2 } });
    expect(await peer.request('echo', { value: ['é😀', null] }, 2)).to.deep.equal({
      id: 2,
      result: { status: 'ok', value: ['é😀', null] },
    });
  });

  it('treats missing parameters as empty', async () => {
    peer.send({ command: 'add', id: 1 }, { command: 'add', id: 2, parameters: null });
    expect((await peer.nextMany(2)).map(({ result }) => (result as Message).count)).to.deep.equal([1, 2]);
  });

  it('answers 10,000 messages of one packet in their order', async () => {
    const ids = Array.from({ length: 10_000 }, (_, index) => index);
    peer.send(...ids.map((id) => ({ command: 'add', id })));
    const replies = await peer.nextMany(ids.length);
    expect(replies.map(({ id }) => id)).to.deep.equal(ids);
    expect(replies.at(-1)).to.deep.equal({ id: 9_999, result: { status: 'ok', count: 10_000 } });
  });

  it('carries out a request without an id, but sends no reply', async () => {
    peer.send(
      { command: 'add', parameters: {} },
      { command: 'add', parameters: {}, id: null },
      { command: 'add', parameters: { amount: 'wrong' } },
      { command: 'nothing like that', parameters: {} },
      { command: 'fail', parameters: {} },
      { command: 'refuse', parameters: {} },
    );
    expect(await peer.request('add', {}, 1)).to.deep.equal({ id: 1, result: { status: 'ok', count: 3 } });
  });

  it('counts its requests', async () => {
    peer.send({ command: 'add' }, { command: 'add' }, { command: 'none' }, { command: 'add', parameters: 1 });
    peer.write('nonsense\n');
    peer.send([]);
    await peer.nextMany(2);
    expect(server.requestCounts).to.include({ add: 3, echo: 0 });
    const { refusals, ...counters } = server.counters;
    expect(counters).to.deep.equal({
      connections: 1,
      unknownCommands: 1,
      invalidRequests: 3,
      failedRequests: 0,
    });
    expect(Object.keys(refusals)).to.deep.equal(Object.keys(CONNECTION_REFUSALS));
    expect(refusalsOf(server.counters)).to.deep.equal({});
  });

  describe('ids', () => {
    const usable: [string, number | string][] = [
      ['zero', 0],
      ['a negative number', -1],
      ['the greatest whole number that is safe', Number.MAX_SAFE_INTEGER],
      ['the digits of a number', '7'],
      ['the empty string', ''],
      ['a string of 128 bytes', 'é'.repeat(64)],
      ['a string with a lone surrogate', '\ud800\udc80'.slice(1)],
      ['the name of a property of every object', '__proto__'],
    ];
    for (const [what, id] of usable) {
      it(`accepts ${what} and returns it unchanged`, async () => {
        expect(await peer.request('add', {}, id)).to.deep.equal({ id, result: { status: 'ok', count: 1 } });
      });
    }

    const unusable: [string, unknown, string][] = [
      ['a string of 129 bytes', `é${'x'.repeat(127)}`, `"é${'x'.repeat(78)}...`],
      ['a string of many bytes', 'x'.repeat(100_000), `"${'x'.repeat(79)}...`],
      ['a fraction', 1.5, '1.5'],
      ['a number that is too great to be exact', 9_007_199_254_740_992, 'a number beyond 2^53'],
      ['a huge number', 1e300, 'a number beyond 2^53'],
      ['true', true, 'true'],
      ['false', false, 'false'],
      ['a list', [7], '[7]'],
      ['an object', { id: 7 }, '{"id":7}'],
    ];
    for (const [what, id, shown] of unusable) {
      it(`refuses ${what}, without an id and without carrying the request out`, async () => {
        peer.send({ command: 'add', id });
        const message = `id is ${shown}; expected a whole number between -2^53 and 2^53, or a string of up to 128 bytes`;
        expect(await peer.next()).to.deep.equal({ error: { status: 'invalid', message } });
        expect(server.count).to.equal(0);
      });
    }

    it('tells the number 7 from the string "7"', async () => {
      peer.send(
        { command: 'wait', parameters: { key: 'a' }, id: 7 },
        { command: 'wait', parameters: { key: 'b' }, id: '7' },
      );
      expect(await peer.request('release', { key: 'b' }, 1)).to.deep.equal({
        id: '7',
        result: { status: 'ok', released: 'b' },
      });
      expect(await peer.next()).to.deep.equal({ id: 1, result: { status: 'ok' } });
    });

    it('refuses an id that is in flight, without an id, and leaves the first request alone', async () => {
      peer.send({ command: 'wait', parameters: { key: 'a' }, id: 7 }, { command: 'add', id: 7 });
      expect(await peer.next()).to.deep.equal({ error: { status: 'invalid', message: 'id 7 is in flight' } });
      peer.send({ command: 'promise', parameters: { key: 'b' }, id: '8' }, { command: 'add', id: '8' });
      expect(await peer.next()).to.deep.equal({ error: { status: 'invalid', message: 'id "8" is in flight' } });
      expect(server.count).to.equal(0);
      expect(await peer.request('release', { key: 'a' }, 1)).to.deep.equal({
        id: 7,
        result: { status: 'ok', released: 'a' },
      });
    });

    it('accepts an id again once its request was answered', async () => {
      for (const key of ['wait', 'promise']) {
        peer.send({ command: key, parameters: { key }, id: 7 }, { command: 'release', parameters: { key }, id: 1 });
        expect((await peer.nextMany(2)).map(({ id }) => id)).to.have.members([1, 7]);
        expect(await peer.request('add', {}, 7)).to.have.property('id', 7);
      }
      for (const command of ['fail', 'reject']) {
        await peer.request(command, {}, 7);
        expect(await peer.request('add', {}, 7)).to.have.property('result');
      }
    });

    it('keeps the ids of two clients apart', async () => {
      const other = await scope.connectPeer();
      peer.send({ command: 'wait', parameters: { key: 'a' }, id: 7 });
      await peer.settle();
      expect(await other.request('add', {}, 7)).to.deep.equal({ id: 7, result: { status: 'ok', count: 1 } });
    });

    it('refuses a request without an id where the command needs one', async () => {
      peer.send({ command: 'needy' }, { command: 'needy', id: null });
      const refusal = { error: { status: 'invalid', message: 'id is missing; needy needs one' } };
      expect(await peer.nextMany(2)).to.deep.equal([refusal, refusal]);
      expect(server.count).to.equal(0);
      expect(await peer.request('needy', {}, 1)).to.deep.equal({ id: 1, result: { status: 'ok' } });
    });
  });

  describe('messages that make no sense', () => {
    const ID_EXPECTED = 'expected a whole number between -2^53 and 2^53, or a string of up to 128 bytes';
    const wrong: [what: string, line: string, id: object, message: string][] = [
      ['null', 'null', {}, 'the message is null; expected an object'],
      ['a number', '7', {}, 'the message is 7; expected an object'],
      ['a list', '[{"id":7}]', {}, 'the message is [{"id":7}]; expected an object'],
      ['no command', '{"id":7}', { id: 7 }, 'command is missing'],
      ['no command and no id', '{}', {}, 'command is missing'],
      ['a list as command', '{"id":"a","command":["add"]}', { id: 'a' }, 'command is ["add"]; expected a string'],
      ['null as command', '{"id":0,"command":null}', { id: 0 }, 'command is null; expected a string'],
      [
        'a rounded number as command',
        '{"id":0,"command":9007199254740993}',
        { id: 0 },
        'command is a number beyond 2^53; expected a string',
      ],
      ['an infinite id', '{"command":"add","id":-1e400}', {}, `id is a number beyond 2^53; ${ID_EXPECTED}`],
    ];
    for (const [what, line, id, message] of wrong) {
      it(`answers ${what} with an error and goes on`, async () => {
        peer.write(`{"command":"add","id":1}\n${line}\n{"command":"add","id":2}\n`);
        const [, answer, after] = await peer.nextMany(3);
        expect(answer).to.deep.equal({ ...id, error: { status: 'invalid', message } });
        expect(after).to.deep.equal({ id: 2, result: { status: 'ok', count: 2 } });
      });
    }

    it('answers a line that is not JSON with an error and goes on', async () => {
      peer.write('{"command":"add","id":1\n{"command":"add","id":2}\n');
      const [answer, after] = await peer.nextMany(2);
      expect(answer).to.have.nested.property('error.status', 'invalid');
      expect(answer).to.not.have.property('id');
      expect(after).to.deep.equal({ id: 2, result: { status: 'ok', count: 1 } });
    });

    it('answers a message that is too long with an error, closes, and carries out nothing after it', async () => {
      peer.write(`{"command":"add","id":1}\n{"id":"${'x'.repeat(1_000_000)}"}\n{"command":"add","id":2}\n`);
      expect(await peer.rest()).to.deep.equal([
        { id: 1, result: { status: 'ok', count: 1 } },
        { error: { status: 'limit', message: 'a message is longer than maxMessageBytes, 1000000' } },
      ]);
      expect((await peer.closed).hasEnded).to.equal(true);
      expect(server.count).to.equal(1);
    });
  });

  describe('parameters', () => {
    const wrong: [unknown, string, string][] = [
      [{ amount: '3' }, 'parameters.amount', 'parameters.amount is "3"; expected a whole number'],
      [{ amount: [1] }, 'parameters.amount', 'parameters.amount is [1]; expected a whole number'],
      [{ colour: 1 }, 'parameters.colour', 'parameters.colour is not known; expected amount'],
      [[], 'parameters', 'parameters is []; expected an object'],
      ['amount', 'parameters', 'parameters is "amount"; expected an object'],
      [false, 'parameters', 'parameters is false; expected an object'],
    ];
    for (const [parameters, field, message] of wrong) {
      it(`refuses ${JSON.stringify(parameters)}, and says what is expected`, async () => {
        peer.send({ command: 'add', parameters, id: 1 });
        const result = { status: 'invalid', message, errors: [{ field, message }] };
        expect(await peer.next()).to.deep.equal({ id: 1, result });
        expect(server.count).to.equal(0);
      });
    }

    it('says which parameter is missing', async () => {
      expect(await peer.request('wait', {}, 1)).to.have.nested.property('result.message', 'parameters.key is missing');
    });
  });

  describe('unknown commands', () => {
    const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf', 'commandAdd', 'commandX'];
    const others = ['prototype', '__defineGetter__', 'counters', 'close', 'listen', 'sessionEnded', 'drain'];
    for (const name of [...names, ...others, 'Add', 'ADD', 'add ', '', '\u0000', '\ud800']) {
      it(`answers ${JSON.stringify(name)} with unknownCommand`, async () => {
        const result = { status: 'unknownCommand', message: `command is ${JSON.stringify(name)}` };
        expect(await peer.request(name, {}, 1)).to.deep.equal({ id: 1, result });
        expect(await peer.request('add', {}, 2)).to.deep.equal({ id: 2, result: { status: 'ok', count: 1 } });
        expect(server.counters.unknownCommands).to.equal(1);
      });
    }

    it('shows only the beginning of a long name', async () => {
      const reply = await peer.request('x'.repeat(100_000), {}, 1);
      expect(reply).to.have.nested.property('result.message', `command is "${'x'.repeat(79)}...`);
    });
  });

  describe('bare messages', () => {
    it('lets the subclass answer a message without id and parameters', async () => {
      peer.send({ command: 'add', amount: 5 });
      expect(await peer.next()).to.deep.equal({ attempted: 'add', count: 5 });
      expect(server.requestCounts.add).to.equal(1);
    });

    it('lets the subclass answer it later', async () => {
      peer.send({ command: 'add', key: 'a' }, { command: 'release', parameters: { key: 'a' }, id: 1 });
      expect(await peer.nextMany(2)).to.deep.equal([
        { status: 'ok', released: 'a' },
        { id: 1, result: { status: 'ok' } },
      ]);
    });

    it('treats a message with an id or with parameters as a request', async () => {
      peer.send({ command: 'add', amount: 5, id: 1 }, { command: 'add', amount: 5, parameters: {} });
      expect(await peer.next()).to.deep.equal({ id: 1, result: { status: 'ok', count: 1 } });
      expect(await peer.request('add', {}, 2)).to.deep.equal({ id: 2, result: { status: 'ok', count: 3 } });
    });

    it('logs the error of the subclass and goes on', async () => {
      peer.send({ command: 'add', amount: 'unlucky' });
      expect(await peer.request('add', {}, 1)).to.deep.equal({ id: 1, result: { status: 'ok', count: 1 } });
      expect(scope.logger.at('error')).to.have.length(1);
    });
  });
});
