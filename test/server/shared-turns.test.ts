import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { MemoryLedger, NO_SESSIONS } from '../../lib/ledger/memory-ledger.ts';
import { TokenBlock } from '../../lib/ledger/token-block.ts';
import { makeGate } from '../../lib/message/gate.ts';
import { open, resume } from '../sessions/session-scene.ts';
import { granted } from './answers.ts';
import { endTest } from './clean-up.ts';
import { numbered } from './odd-names.ts';
import { type Message, type RawClient, until } from './raw-client.ts';
import { startServer } from './running-server.ts';

const MANY = 20_000;
const SESSIONS = 8;
/** Of each session of the run before. */
const HOLDS = 1_250;
const LIMITS = { maxLocksPerSession: 100_000, maxBytesPerSession: 100_000_000, maxWaitersPerLock: 100_000 };
const LIMITS_FOR_WAITS = { ...LIMITS, maxPendingRequests: 100_000 };

/** Asks again and again, until the count has changed; returns the first other value. */
async function firstCountAfter(client: RawClient, name: string, before: number): Promise<number> {
  for (;;) {
    const count = Number((await client.ask('stats'))[name]);
    if (count !== before) return count;
  }
}

async function expectInOrder(client: RawClient, ...answers: readonly unknown[]): Promise<void> {
  for (const answer of answers) expect(await client.next()).to.deep.equal(answer);
}

const PING = { command: 'ping', id: 'ping' };
const PONG = { id: 'ping', result: { status: 'ok' } };

describe('others are answered while one request', () => {
  afterEach(endTest);

  it("releases thousands of locks; its own client's next requests are answered afterwards", async () => {
    const server = await startServer(LIMITS);
    const [holder, bystander] = await server.connectTwo();
    await holder.takeMany(numbered(MANY));
    holder.send({ command: 'unlockAll', id: 'all' }, PING);
    expect(await firstCountAfter(bystander, 'holders', MANY)).to.be.above(0);
    await expectInOrder(holder, { id: 'all', result: { status: 'ok', released: MANY } }, PONG);
    expect(await bystander.ask('stats')).to.include({ holders: 0, releases: MANY, tableBytes: 0 });
  });

  it('lets in thousands that wait', async () => {
    const server = await startServer(LIMITS_FOR_WAITS);
    const [holder, crowd, bystander] = await server.connectThree();
    await holder.take('hot');
    const owners = [...Array(MANY).keys()];
    crowd.send(
      ...owners.map((id) => ({ command: 'lock', parameters: { lockName: 'hot', mode: 'shared', owner: `${id}` }, id })),
    );
    await crowd.ask('ping');
    holder.send({ command: 'unlock', parameters: { lockName: 'hot' }, id: 'unlock' });
    expect(await firstCountAfter(bystander, 'waiting', MANY)).to.be.above(0);
    for (const id of owners) expect(await crowd.next()).to.deep.equal({ id, result: granted(id + 2, id + 1) });
  });

  for (const [how, taking, forceUnlock, answer] of [
    [
      'steals a lock from thousands',
      { command: 'lock', parameters: { lockName: 'hot', steal: true }, id: 'taken' },
      false,
      granted(MANY + 1),
    ],
    [
      'frees a lock of thousands by force',
      { command: 'forceUnlock', parameters: { lockName: 'hot' }, id: 'taken' },
      true,
      { status: 'ok', released: MANY },
    ],
  ] as const) {
    it(how, async () => {
      const server = await startServer(LIMITS, undefined, { forceUnlock });
      const [holder, taker, bystander] = await server.connectThree();
      const owners = [...Array(MANY).keys()];
      const parameters = { lockName: 'hot', mode: 'shared', stealable: true };
      holder.send(...owners.map((id) => ({ command: 'lock', parameters: { ...parameters, owner: `${id}` }, id })));
      await holder.nextMany(MANY);
      const { tableBytes } = await bystander.ask('stats');
      taker.send(taking, PING);
      const bytesLeft = await firstCountAfter(bystander, 'tableBytes', Number(tableBytes));
      expect(bytesLeft).to.be.above(10_000);
      await expectInOrder(taker, { id: 'taken', result: answer }, PONG);
      expect((await holder.nextMany(MANY)).map(({ owner }) => owner)).to.deep.equal(owners.map(String));
    });
  }

  it('resumes sessions that have given up thousands of locks', async () => {
    const server = await startServer(LIMITS);
    const returning = await Promise.all(
      Array.from({ length: SESSIONS }, async (_, number) => {
        const holder = await server.connect();
        const told = await open(holder);
        await holder.takeMany(numbered(MANY / 2).map((name) => `${number} ${name}`));
        return { told, client: await server.connect() };
      }),
    );
    const bystander = await server.connect();
    const answered: string[] = [];
    const answers = returning.map(async ({ told, client }) => {
      expect(await resume(client, told)).to.include({ state: 'resumed' });
      answered.push('resume');
    });
    await bystander.ask('ping');
    answered.push('ping');
    await Promise.all(answers);
    expect(answered.at(-1)).to.equal('resume');
    expect(await bystander.ask('stats')).to.include({ holders: 0 });
  });

  it('gives sessions of the run before thousands of locks back', async () => {
    const recorded = makeGate();
    const keys = Array.from({ length: SESSIONS }, (_, index) => ({ id: `${index}`, secret: 'secret' }));
    const secretHash = createHash('sha256').update('secret').digest('base64url');
    const atStart = keys.map(({ id }) => ({ id, secretHash, timeoutMs: 3_600_000 }));
    const ledger = Object.assign(new MemoryLedger(0), {
      tokens: new TokenBlock({ begin: 0, reserved: 10, size: 10, reserve: () => recorded.promise }),
      sessions: { ...NO_SESSIONS, atStart },
    });
    const server = await startServer(LIMITS, undefined, { ledger });
    const [bystander, ...returning] = (await server.connectMany(SESSIONS + 1)) as [RawClient, ...RawClient[]];
    const answers = returning.map(async (client, index) => {
      await client.ask('hello', { protocol: 1, session: keys[index] });
      const tokens = Array.from({ length: HOLDS }, (_, each) => 100 + index * HOLDS + each);
      const holds = tokens.map((token) => ({ lockName: `${token}`, token }));
      expect(await client.ask('reclaim', { holds, last: true })).to.deep.equal({ status: 'ok', lost: [] });
    });
    await until(async () => ((await bystander.ask('stats')).requests as Message).reclaim === SESSIONS);
    recorded.resolve();
    expect(await firstCountAfter(bystander, 'holders', 0)).to.be.lessThan(SESSIONS * HOLDS);
    await Promise.all(answers);
    expect(await bystander.ask('stats')).to.include({ holders: SESSIONS * HOLDS });
  });
});
