import { expect } from 'chai';
import type { FullLockServer } from '../../lib/foreign/full-lock-server.ts';
import { endTest } from '../server/clean-up.ts';
import { listenOnTcp, makeServer, untilConnections } from '../server/running-server.ts';
import { PrefixedClient } from './prefixed-client.ts';

/** Ids of every JSON type, in JSON. */
const IDS = [
  ...['0', '1', '-1', '12', '1.5', '1e-7', '9007199254740991', '"12"', '""', '"id"', '"\\u00e9\\u0000\\ud83d"'],
  ...['true', 'false', '[]', '[1,"2",null]', '{}', '{"a":{"b":[0]}}'],
];

/** Messages that are not answered. */
const UNANSWERED: Readonly<Record<string, readonly string[]>> = {
  'a lock request without id': [
    '{"command":"lock","parameters":{"lockName":"jobs"}}',
    '{"command":"lock","parameters":{"lockName":"jobs"},"id":null}',
    '{"command":"lock","parameters":{}}',
  ],
  'a lock request without parameters': [
    '{"command":"lock","id":1}',
    '{"command":"lock","lockName":"jobs","id":1}',
    '{"command":"lock","parameters":null,"id":1}',
  ],
  'an unknown command or none': [
    ...['{}', '{"id":1}', '{"command":"","id":1}', '{"command":null,"id":1}', '{"command":1,"id":1}'],
    ...['{"command":"ping","id":1}', '{"command":"hello","parameters":{"protocol":1},"id":1}'],
    ...['{"command":"stats","id":1}', '{"command":"list","parameters":{},"id":1}', '{"command":["lock"],"id":1}'],
    ...['{"command":"unlockAll","parameters":{},"id":1}', '{"command":"constructor","id":1}'],
    ...['{"command":" lock","parameters":{"lockName":"jobs"},"id":1}', '{"command":"locks","id":1}'],
  ],
  'what is no object': ['1', '"lock"', 'null', 'true', '[]', '[{"command":"unlock"}]', '-0.5e3'],
  'what is no JSON': [
    ...['', ' ', '{', '{"command":"unlock"', '}', "{'command':'unlock'}", '{"command":"unlock"} x', 'undefined'],
    ...['{"command":"unlock",}', '\u0000', '\ufeff{"command":"unlock"}', 'g jobs', 'unlock', '\n'],
  ],
};

describe("pkLockServer's framing", () => {
  let server: FullLockServer;
  let port: number;
  let a: PrefixedClient;
  let b: PrefixedClient;
  let c: PrefixedClient;

  beforeEach(async () => {
    server = makeServer();
    port = await listenOnTcp(server);
    a = await PrefixedClient.connect(port);
    b = await PrefixedClient.connect(port);
    c = await PrefixedClient.connect(port);
  });
  afterEach(endTest);

  it('grants a free lock, with no other key in the answer', async () => {
    await a.take('jobs', 1);
    await a.settle();
  });

  it('answers for a held lock when it is granted, in order of the requests', async () => {
    await a.take('jobs', 1);
    await b.queue('jobs', 2);
    await c.queue('jobs', 3);
    await b.settle();
    await a.release('jobs');
    await b.expect('{"id":2,"result":{"status":"ok"}}');
    await c.settle();
    await b.release('jobs');
    await c.expect('{"id":3,"result":{"status":"ok"}}');
  });

  it('grants at once a lock that this connection holds, and one unlock frees it', async () => {
    a.lock('jobs', 1);
    a.lock('jobs', 2);
    a.lock('jobs', 2);
    await a.expect('{"id":1,"result":{"status":"ok"}}');
    await a.expect('{"id":2,"result":{"status":"ok"}}');
    await a.expect('{"id":2,"result":{"status":"ok"}}');
    await b.queue('jobs', 1);
    await a.release('jobs');
    await b.expect('{"id":1,"result":{"status":"ok"}}');
    await a.release('jobs', 'notFound');
  });

  it('answers every request of this connection for one lock, in order', async () => {
    await a.take('jobs', 1);
    b.lock('jobs', 1);
    b.lock('jobs', 1);
    await b.queue('jobs', 'two');
    a.unlock('jobs');
    await b.expect('{"id":1,"result":{"status":"ok"}}');
    await b.expect('{"id":1,"result":{"status":"ok"}}');
    await b.expect('{"id":"two","result":{"status":"ok"}}');
    await b.settle();
  });

  it('answers invalid to a lock request without a usable name', async () => {
    const unusable = ['{}', '{"lockName":null}', '{"lockName":true}', '{"lockName":[]}', '{"lockName":{}}', '[]'];
    for (const parameters of [...unusable, '["jobs"]', '{"name":"jobs"}']) {
      a.send(`{"command":"lock","parameters":${parameters},"id":7}`);
      await a.expect('{"id":7,"result":{"status":"invalid"}}');
    }
    await a.settle();
  });

  it('echoes ids of every JSON type', async () => {
    for (const [index, id] of IDS.entries()) {
      a.send(`{"command":"lock","parameters":{"lockName":"${index}"},"id":${id}}`);
      await a.expect(`{"id":${id},"result":{"status":"ok"}}`);
    }
  });

  it('echoes ids of every JSON type after a wait', async () => {
    await a.take('jobs', 1);
    for (const id of IDS) b.send(`{"command":"lock","parameters":{"lockName":"jobs"},"id":${id}}`);
    await b.settle();
    a.unlock('jobs');
    for (const id of IDS) await b.expect(`{"id":${id},"result":{"status":"ok"}}`);
  });

  it('ends a wait by unlock, without an answer to the wait', async () => {
    await a.take('jobs', 1);
    b.lock('jobs', 1);
    b.lock('jobs', 2);
    await b.release('jobs');
    await b.release('jobs', 'notFound');
    await a.release('jobs');
    await b.settle();
    await c.take('jobs', 1);
  });

  it('answers notFound for a lock that this connection does not hold, and invalid without a name', async () => {
    await a.take('jobs', 1);
    await b.release('jobs', 'notFound');
    await b.release('nobody', 'notFound');
    for (const rest of ['', ',"lockName":null', ',"id":1', ',"parameters":{"lockName":"jobs"}', ',"lockName":true']) {
      b.send(`{"command":"unlock"${rest}}`);
      await b.expect('{"attempted":"unlock","result":"invalid"}');
    }
    await b.queue('jobs', 1);
  });

  it('ignores an id or parameters on unlock', async () => {
    await a.take('jobs', 1);
    a.send({ command: 'unlock', lockName: 'jobs', parameters: { lockName: 'other', owner: 'x' }, id: 9 });
    await a.expect('{"attempted":"unlock","result":"ok","lockName":"jobs"}');
  });

  it('ignores parameters other than lockName', async () => {
    const ignored = { mode: 'permit', timeLimit: 0, owner: 'x', lease: 0.001, limit: -1, other: 1 };
    const parameters = { lockName: 'jobs', ...ignored };
    a.send({ command: 'lock', parameters, id: 1, mode: 'shared' });
    await a.expect('{"id":1,"result":{"status":"ok"}}');
    b.send({ command: 'lock', parameters, id: 1 });
    await b.settle();
    await a.release('jobs');
    await b.expect('{"id":1,"result":{"status":"ok"}}');
  });

  it('ignores the case of the command', async () => {
    a.send({ command: 'LOCK', parameters: { lockName: 'jobs' }, id: 1 });
    await a.expect('{"id":1,"result":{"status":"ok"}}');
    a.send({ command: 'UnLock', lockName: 'jobs' });
    await a.expect('{"attempted":"unlock","result":"ok","lockName":"jobs"}');
    a.send({ command: 'lOCK', parameters: { lockName: 'jobs' }, id: 2 }, { command: 'UNLOCK', lockName: 'jobs' });
    await a.expect('{"id":2,"result":{"status":"ok"}}');
    await a.expect('{"attempted":"unlock","result":"ok","lockName":"jobs"}');
  });

  it('treats 12 and "12" as one name, and returns each as it came', async () => {
    await a.take(12, 1);
    await b.queue('12', 1);
    await a.release('12');
    await b.expect('{"id":1,"result":{"status":"ok"}}');
    await b.release(12);
    await b.release(0, 'notFound');
    await b.release('', 'notFound');
  });

  for (const [what, messages] of Object.entries(UNANSWERED)) {
    it(`does not answer ${what}, and goes on`, async () => {
      for (const message of messages) {
        a.send(message);
        await a.settle();
      }
      await b.take('jobs', 1);
    });
  }

  it('grants the lock to the next in line when the holder disconnects, and skips a waiter that did', async () => {
    await a.take('jobs', 1);
    await b.queue('jobs', 2);
    await c.queue('jobs', 3);
    b.socket.destroy();
    await untilConnections(server, 2);
    await c.settle();
    a.socket.destroy();
    await c.expect('{"id":3,"result":{"status":"ok"}}');
  });

  it('answers everything before a half-close, then closes, without an answer to waits', async () => {
    await a.take('jobs', 1);
    b.lock('jobs', 1);
    b.lock('free', 2);
    b.socket.end(Buffer.from([0, 0, 0, 9, 0x7b]));
    await b.expect('{"id":2,"result":{"status":"ok"}}');
    await b.closed;
    expect(b.unreadCount).to.equal(0);
    await c.take('free', 3);
  });

  it('answers many frames of one packet in order, even if the first is empty', async () => {
    a.send('', { command: 'lock', parameters: { lockName: 'x' }, id: 1 }, 'x', { command: 'unlock', lockName: 'x' });
    await a.expect('{"id":1,"result":{"status":"ok"}}');
    await a.expect('{"attempted":"unlock","result":"ok","lockName":"x"}');
    await a.settle();
  });

  it('serves names of 60,000 bytes and of control characters', async () => {
    for (const name of ['n'.repeat(60_000), '\u0000\n\r\t\u001b', ' ', '', '\u65e5\u672c']) {
      await a.take(name, 1);
      await b.queue(name, 2);
      b.unlock(name);
      const written = JSON.stringify(name).replace('\u65e5\u672c', '\\u65e5\\u672c');
      await b.expect(`{"attempted":"unlock","result":"ok","lockName":${written}}`);
    }
  });
});
