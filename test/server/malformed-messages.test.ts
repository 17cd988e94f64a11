import { expect } from 'chai';
import { RecordingLogger } from '../support/recording-logger.ts';
import { endTest } from './clean-up.ts';
import type { Message, RawClient } from './raw-client.ts';
import { type RunningServer, startServer } from './running-server.ts';

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
});

describe('requests', () => {
  afterEach(endTest);

  it('keep the bytes of names that are not UTF-8', async () => {
    const client = await (await startServer()).connect();
    const before = '{"command":"lock","parameters":{"lockName":"';
    client.write(Buffer.concat([Buffer.from(before), Buffer.of(0x61, 0xff, 0xc3, 0x28), Buffer.from('"},"id":1}\n')]));
    expect(await client.next()).to.deep.include({ id: 1 });
    expect(await client.ask('inspect', { lockName: 'a\udcff\udcc3(' })).to.include({ holderCount: 1 });
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
