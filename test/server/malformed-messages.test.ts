import { expect } from 'chai';
import { RecordingLogger } from '../support/recording-logger.ts';
import { refusalsOf } from '../support/refusals.ts';
import { endTest } from './clean-up.ts';
import type { Message, RawClient } from './raw-client.ts';
import { type RunningServer, startServer } from './running-server.ts';

const ID_EXPECTED = 'expected a whole number between -2^53 and 2^53, or a string of up to 128 bytes';
const PAIRS = 1_000;

describe('what is no request', () => {
  let server: RunningServer;
  let log: RecordingLogger;
  let bystander: RawClient;
  let bystanderIsDone: Promise<void>;

  /** While bad messages come, another client takes and gives back a lock a thousand times and notices nothing. */
  beforeEach(async () => {
    log = new RecordingLogger();
    server = await startServer({}, log);
    bystander = await server.connect();
    bystanderIsDone = lockAndUnlock(bystander, PAIRS);
    // A failure is noticed below; until then nobody looks.
    bystanderIsDone.catch(() => {});
  });

  afterEach(async () => {
    try {
      await bystanderIsDone;
      expect(await bystander.ask('stats')).to.include({
        locks: 0,
        permits: 0,
        holders: 0,
        waiting: 0,
        grants: PAIRS,
        releases: PAIRS,
        failedRequests: 0,
      });
    } finally {
      await endTest();
    }
  });

  it('is answered as such when it is not JSON, and the connection goes on', async () => {
    const client = await server.connect();
    await client.settle();
    for (const line of [
      'nonsense',
      '{"command":"ping","id":1',
      '{"command":ping}',
      "{'command':'ping'}",
      '}',
      '{"a":1}}',
    ]) {
      client.write(`${line}\n`);
      const { error, ...rest } = await client.next();
      expect(rest, line).to.deep.equal({});
      expect(error, line).to.include({ status: 'invalid' });
      expect((error as Message).message, line).to.match(/^not JSON: /);
    }
    expect(await client.ask('stats')).to.include({ invalidRequests: 6, openConnections: 2 });
  });

  it('is answered as such when it is JSON and no object', async () => {
    const client = await server.connect();
    await client.settle();
    for (const value of [null, true, false, 0, -1.5, '', 'lock', [], [1, 2], [{ command: 'ping', id: 1 }]]) {
      client.write(`${JSON.stringify(value)}\n`);
      expect(await client.next()).to.deep.equal({
        error: { status: 'invalid', message: `the message is ${JSON.stringify(value)}; expected an object` },
      });
    }
  });

  it('is answered with its id when the command is missing or no string', async () => {
    const client = await server.connect();
    for (const id of [1, 0, -7, 'x', '', '1'.repeat(128), 'é'.repeat(64), Number.MAX_SAFE_INTEGER]) {
      client.send({ id });
      expect(await client.next()).to.deep.equal({ id, error: { status: 'invalid', message: 'command is missing' } });
    }
    for (const command of [null, 1, true, ['ping'], { command: 'ping' }]) {
      client.send({ command, id: 'x' });
      const message = `command is ${JSON.stringify(command)}; expected a string`;
      expect(await client.next()).to.deep.equal({ id: 'x', error: { status: 'invalid', message } });
    }
    client.send({}, { id: null });
    for (let answer = 0; answer < 2; answer += 1) {
      expect(await client.next()).to.deep.equal({ error: { status: 'invalid', message: 'command is missing' } });
    }
  });

  it('is answered without an id when the id is wrong', async () => {
    const client = await server.connect();
    for (const id of [1.5, true, false, [], [1], {}, '1'.repeat(129), 'é'.repeat(65), 2 ** 53, 1e300]) {
      client.send({ command: 'ping', id });
      const isRounded = Number.isInteger(id) && !Number.isSafeInteger(id);
      const text = isRounded ? 'a number beyond 2^53' : JSON.stringify(id);
      const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
      expect(await client.next()).to.deep.equal({
        error: { status: 'invalid', message: `id is ${shown}; ${ID_EXPECTED}` },
      });
    }
  });

  it('is an unknown command unless the command is in the table', async () => {
    const client = await server.connect();
    const names = [
      '',
      'Lock',
      'lock ',
      'commandLock',
      'constructor',
      '__proto__',
      'prototype',
      'toString',
      'valueOf',
      'hasOwnProperty',
      '__defineGetter__',
      'close',
      'listen',
      'drain',
      'counters',
      'forceRelease',
      '\u0000',
    ];
    for (const name of names) {
      expect(await client.ask(name), name).to.deep.equal({
        status: 'unknownCommand',
        message: `command is ${JSON.stringify(name)}`,
      });
      client.send({ command: name }, { command: name, parameters: [] });
    }
    expect(await client.ask('stats')).to.include({ unknownCommands: names.length * 3, invalidRequests: 0 });
  });

  it('is shown by its beginning when it is long', async () => {
    const client = await server.connect();
    const { message } = await client.ask('x'.repeat(1_000_000));
    expect(message).to.equal(`command is "${'x'.repeat(79)}...`);
  });

  it('is answered as such when it is nested deeper than anybody would', async () => {
    const client = await server.connect();
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    client.write(`{"command":${deep},"id":1}\n`);
    expect(await client.next())
      .to.deep.include({ id: 1 })
      .and.to.have.nested.property('error.status', 'invalid');
    client.write(`{"command":"lock","parameters":{"lockName":${deep}},"id":2}\n`);
    expect(await client.next())
      .to.deep.include({ id: 2 })
      .and.to.have.nested.property('result.status', 'invalid');
    client.write(`{"command":"ping","id":${deep}}\n`);
    expect(await client.next()).to.have.nested.property('error.status', 'invalid');
    client.write(`${deep}\n`);
    expect(await client.next()).to.have.nested.property('error.status', 'invalid');
    await client.settle();
  });

  it('ends the connection when the message is too long, and only that connection', async () => {
    const [client, other] = await server.connectTwo();
    client.write(`{"command":"ping","id":"${'x'.repeat(2_000_000)}`);
    expect(await client.next()).to.deep.equal({
      error: { status: 'limit', message: 'a message is longer than maxMessageBytes, 1048576' },
    });
    await client.closed;
    await other.settle();
  });

  it('closes a connection without an answer when its first byte belongs to no protocol', async () => {
    const starts = [
      'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'POST / HTTP/1.1\r\n\r\n{"command":"lock","parameters":{"lockName":"a"},"id":1}\n',
      '[]\n',
      '-1\n',
      '"lock"\n',
      ' \n\t[',
      '\u0016\u0003\u0001',
      '\ufeff{"command":"ping","id":1}\n',
    ];
    for (const start of starts) {
      const client = await server.connect();
      client.write(start);
      await client.closed;
      expect(client.unreadCount, start).to.equal(0);
    }
    const client = await server.connect();
    const stats = await client.ask('stats');
    expect(stats).to.include({ openConnections: 2 });
    expect(refusalsOf(stats)).to.deep.equal({ http: 2, tlsUnexpected: 1, unknownProtocol: 5 });
    expect(log.shown).to.have.lengthOf(3);
  });

  it('can be white space, which is passed over', async () => {
    const client = await server.connect();
    client.write('\n\r\n  \n\t\r\n {"command":"ping","id":1} \r\n\n \n{"command":"ping","id":2}\r\n\r\n');
    expect(await client.next()).to.deep.equal({ id: 1, result: { status: 'ok' } });
    expect(await client.next()).to.deep.equal({ id: 2, result: { status: 'ok' } });
    await client.settle();
  });
});

describe('requests', () => {
  afterEach(endTest);

  it('are two when two come in one packet', async () => {
    const client = await (await startServer()).connect();
    client.write('{"command":"ping","id":1}\n{"command":"ping","id":2}\n');
    expect(await client.next()).to.deep.equal({ id: 1, result: { status: 'ok' } });
    expect(await client.next()).to.deep.equal({ id: 2, result: { status: 'ok' } });
    await client.settle();
  });

  it('are understood when they come byte by byte', async () => {
    const client = await (await startServer()).connect();
    const message = '{"command":"lock","parameters":{"lockName":"\u00e9\u65e5\u{1f600}"},"id":"\u00e9"}\n';
    for (const byte of Buffer.from(message)) {
      await new Promise<void>((resolve) => {
        client.socket.write(Uint8Array.of(byte), () => setImmediate(resolve));
      });
    }
    expect(await client.next()).to.deep.equal({ id: '\u00e9', result: { status: 'ok', token: 1, count: 1 } });
    expect((await client.ask('list')).locks).to.have.nested.property('[0].lockName', '\u00e9\u65e5\u{1f600}');
  });

  it('keep the bytes of names that are not UTF-8', async () => {
    const client = await (await startServer()).connect();
    const before = '{"command":"lock","parameters":{"lockName":"';
    client.write(Buffer.concat([Buffer.from(before), Buffer.of(0x61, 0xff, 0xc3, 0x28), Buffer.from('"},"id":1}\n')]));
    expect(await client.next()).to.deep.include({ id: 1 });
    expect(await client.ask('inspect', { lockName: 'a\udcff\udcc3(' })).to.include({ holderCount: 1 });
  });

  it('can be the last without an end of line', async () => {
    const [client, other] = await (await startServer()).connectTwo();
    client.socket.end('{"command":"ping","id":1}');
    expect(await client.next()).to.deep.equal({ id: 1, result: { status: 'ok' } });
    await client.closed;
    await other.settle();
  });

  it('are answered, 10,000 of them in one packet, in order', async () => {
    const server = await startServer();
    const [client, bystander] = await server.connectTwo();
    const bystanderIsDone = lockAndUnlock(bystander, PAIRS);
    const messages = Array.from({ length: 10_000 }, (_, id) => {
      if (id % 4 === 0) return { command: 'lock', parameters: { lockName: `many ${id}`, timeLimit: 0 }, id };
      if (id % 4 === 1) return { command: 'unlock', parameters: { lockName: `many ${id - 1}` }, id };
      if (id % 4 === 2) return { command: 'nothing', id };
      return { command: 'ping', id };
    });
    client.send(...messages);
    const statuses = ['ok', 'ok', 'unknownCommand', 'ok'];
    for (const { id } of messages) {
      const answer = await client.next();
      expect(answer.id).to.equal(id);
      expect((answer.result as Message).status).to.equal(statuses[id % 4]);
    }
    await bystanderIsDone;
    expect(await bystander.ask('stats')).to.include({ locks: 0, holders: 0, waiting: 0, releases: 2_500 + PAIRS });
  });

  it('are carried out in order, 10,000 in one packet, when the client leaves at once', async () => {
    const [client, bystander] = await (await startServer()).connectTwo();
    const messages = Array.from({ length: 10_000 }, (_, id) => ({
      command: 'lock',
      parameters: { lockName: `many ${id}` },
      id,
    }));
    client.send(...messages);
    client.socket.end();
    for (const { id } of messages) {
      expect(await client.next()).to.deep.equal({ id, result: { status: 'ok', token: id + 1, count: 1 } });
    }
    await client.closed;
    // Its locks are freed in slices.
    let counts = await bystander.ask('stats');
    while (counts.holders !== 0) counts = await bystander.ask('stats');
    expect(counts).to.include({ locks: 0, grants: 10_000, orphans: 10_000 });
  });
});

async function lockAndUnlock(client: RawClient, pairs: number): Promise<void> {
  for (let pair = 0; pair < pairs; pair += 1) {
    expect(await client.ask('lock', { lockName: 'bystander' })).to.include({ status: 'ok', count: 1 });
    expect(await client.ask('unlock', { lockName: 'bystander' })).to.deep.equal({ status: 'ok', count: 0 });
  }
}
