import { expect } from 'chai';
import type { LockServer } from '../../lib/server/lock-server.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { endTest } from '../server/clean-up.ts';
import { portOf } from '../server/running-server.ts';
import { frame, PrefixedClient } from './prefixed-client.ts';
import { makeServer, untilConnections } from './transports.ts';

/** Values of every JSON type that can be an id, as they are written. */
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
  let server: LockServer;
  let port: number;
  let a: PrefixedClient;
  let b: PrefixedClient;
  let c: PrefixedClient;

  beforeEach(async () => {
    server = makeServer();
    port = portOf(await server.listen(tcp({ host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] })));
    a = await PrefixedClient.connect(port);
    b = await PrefixedClient.connect(port);
    c = await PrefixedClient.connect(port);
  });
  afterEach(endTest);

  it('grants a free lock, without further keys', async () => {
    await a.take('jobs', 1);
    await a.settle();
  });

  it('answers for a held lock when it is granted, in the order of the requests', async () => {
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

  it('grants at once what this connection holds, and one unlock drops all of it', async () => {
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

  it('answers every request for a lock that this connection waits for, in their order', async () => {
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

  it('echoes ids of every JSON type when the lock had to be waited for', async () => {
    await a.take('jobs', 1);
    for (const id of IDS) b.send(`{"command":"lock","parameters":{"lockName":"jobs"},"id":${id}}`);
    await b.settle();
    a.unlock('jobs');
    for (const id of IDS) await b.expect(`{"id":${id},"result":{"status":"ok"}}`);
  });

  it('unlocks what waits, and does not answer the wait', async () => {
    await a.take('jobs', 1);
    b.lock('jobs', 1);
    b.lock('jobs', 2);
    await b.release('jobs');
    await b.release('jobs', 'notFound');
    await a.release('jobs');
    await b.settle();
    await c.take('jobs', 1);
  });

  it('answers notFound for what another connection holds or nobody does, and invalid without a name', async () => {
    await a.take('jobs', 1);
    await b.release('jobs', 'notFound');
    await b.release('nobody', 'notFound');
    for (const rest of ['', ',"lockName":null', ',"id":1', ',"parameters":{"lockName":"jobs"}', ',"lockName":true']) {
      b.send(`{"command":"unlock"${rest}}`);
      await b.expect('{"attempted":"unlock","result":"invalid"}');
    }
    await b.queue('jobs', 1);
  });

  it('takes no notice of an id or parameters on unlock', async () => {
    await a.take('jobs', 1);
    a.send({ command: 'unlock', lockName: 'jobs', parameters: { lockName: 'other', owner: 'x' }, id: 9 });
    await a.expect('{"attempted":"unlock","result":"ok","lockName":"jobs"}');
  });

  it('takes no notice of parameters but lockName', async () => {
    const parameters = {
      lockName: 'jobs',
      mode: 'permit',
      timeLimit: 0,
      owner: 'x',
      lease: 0.001,
      limit: -1,
      other: 1,
    };
    a.send({ command: 'lock', parameters, id: 1, mode: 'shared' });
    await a.expect('{"id":1,"result":{"status":"ok"}}');
    b.send({ command: 'lock', parameters, id: 1 });
    await b.settle();
    await a.release('jobs');
    await b.expect('{"id":1,"result":{"status":"ok"}}');
  });

  it('matches the command without regard to case', async () => {
    a.send({ command: 'LOCK', parameters: { lockName: 'jobs' }, id: 1 });
    await a.expect('{"id":1,"result":{"status":"ok"}}');
    a.send({ command: 'UnLock', lockName: 'jobs' });
    await a.expect('{"attempted":"unlock","result":"ok","lockName":"jobs"}');
    a.send({ command: 'lOCK', parameters: { lockName: 'jobs' }, id: 2 }, { command: 'UNLOCK', lockName: 'jobs' });
    await a.expect('{"id":2,"result":{"status":"ok"}}');
    await a.expect('{"attempted":"unlock","result":"ok","lockName":"jobs"}');
  });

  it('takes the number 12 and the string "12" for one name, which comes back as it was sent', async () => {
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

  it('grants the next in line when the holder disconnects, and forgets who disconnects while waiting', async () => {
    await a.take('jobs', 1);
    await b.queue('jobs', 2);
    await c.queue('jobs', 3);
    b.socket.destroy();
    await untilConnections(server, 2);
    await c.settle();
    a.socket.destroy();
    await c.expect('{"id":3,"result":{"status":"ok"}}');
  });

  it('answers what came before a half-close, then closes, without an answer for what still waits', async () => {
    await a.take('jobs', 1);
    b.lock('jobs', 1);
    b.lock('free', 2);
    b.socket.end(Buffer.from([0, 0, 0, 9, 0x7b]));
    await b.expect('{"id":2,"result":{"status":"ok"}}');
    await b.closed;
    expect(b.unreadCount).to.equal(0);
    await c.take('free', 3);
  });

  it('answers in order, many in one packet, whose first frame is empty', async () => {
    a.send('', { command: 'lock', parameters: { lockName: 'x' }, id: 1 }, 'x', { command: 'unlock', lockName: 'x' });
    await a.expect('{"id":1,"result":{"status":"ok"}}');
    await a.expect('{"attempted":"unlock","result":"ok","lockName":"x"}');
    await a.settle();
  });

  it('takes frames byte by byte', async () => {
    const messages = ['{"command":"lock","parameters":{"lockName":"\u00e9\\u0000"},"id":"\u00e9"}', '', '{}'];
    for (const message of messages) {
      for (const byte of frame(message)) {
        await new Promise((resolve) => a.socket.write(Buffer.of(byte), resolve));
      }
    }
    await a.expect('{"id":"\\u00e9","result":{"status":"ok"}}');
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

  it('keeps the bytes of names that are no UTF-8', async () => {
    const before = '{"command":"unlock","lockName":"';
    a.socket.write(frame(Buffer.concat([Buffer.from(before), Buffer.of(0xff, 0xc3, 0x28), Buffer.from('"}')])));
    await a.expect('{"attempted":"unlock","result":"notFound","lockName":"\\udcff\\udcc3("}');
  });
});
