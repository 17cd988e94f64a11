import { expect } from 'chai';
import { MemoryLedger } from '../../lib/ledger/memory-ledger.ts';
import { openLedger } from '../ledger/ledger-scene.ts';
import { endTest, makeFolder } from './clean-up.ts';
import type { RawClient } from './raw-client.ts';
import { startServer } from './running-server.ts';

describe('the verify command', () => {
  afterEach(endTest);

  async function verify(client: RawClient, lockName: string, token: number): Promise<unknown> {
    const { status, outcome } = await client.ask('verify', { lockName, token });
    expect(status).to.equal('ok');
    return outcome;
  }

  for (const mode of ['exclusive', 'shared', 'permit'] as const) {
    it(`tells that the token of a hold is current, and is not once it has ended: ${mode}`, async () => {
      const [holder, other] = await (await startServer()).connectTwo();
      const token = await holder.take('jobs', { mode });
      for (const client of [holder, other]) expect(await verify(client, 'jobs', token)).to.equal('current');
      await holder.ask('unlock', { lockName: 'jobs', mode });
      expect(await verify(other, 'jobs', token)).to.equal('superseded');
      const next = await holder.take('jobs', { mode });
      expect([await verify(other, 'jobs', token), await verify(other, 'jobs', next)]).to.deep.equal([
        'superseded',
        'current',
      ]);
    });
  }

  for (const mode of ['shared', 'permit'] as const) {
    it(`finds each of many holds, but no ended one: ${mode}`, async () => {
      const client = await (await startServer()).connect();
      const tokens: number[] = [];
      for (let count = 0; count < 20; count += 1) tokens.push(await client.take('jobs', { mode, owner: `${count}` }));
      for (const token of tokens) expect(await verify(client, 'jobs', token)).to.equal('current');
      tokens.push(await client.take('jobs', { mode, owner: 'late' }));
      await client.ask('unlock', { lockName: 'jobs', mode, owner: '3' });
      const outcomes: unknown[] = [];
      for (const token of tokens) outcomes.push(await verify(client, 'jobs', token));
      expect(outcomes.filter((outcome) => outcome === 'current')).to.have.length(20);
      expect(outcomes[3]).to.equal('superseded');
    });
  }

  it('does not take the token of another lock', async () => {
    const client = await (await startServer()).connect();
    const token = await client.take('a');
    await client.take('b');
    expect(await verify(client, 'b', token)).to.equal('superseded');
  });

  it('does not know tokens that the server has not given', async () => {
    const client = await (await startServer({}, undefined, { ledger: new MemoryLedger(100) })).connect();
    await client.take('jobs');
    for (const token of [102, 100, 1, 0, -1])
      expect(await verify(client, 'jobs', token), `${token}`).to.equal('unknown');
  });

  it('knows the tokens of earlier runs if the ledger is durable', async () => {
    const directory = `${makeFolder()}/state`;
    const first = await openLedger(directory);
    const token = first.tokens.next();
    await first.closeOnce();
    const client = await (await startServer({}, undefined, { ledger: await openLedger(directory) })).connect();
    expect(await verify(client, 'jobs', token)).to.equal('superseded');
    expect(await verify(client, 'jobs', 0)).to.equal('unknown');
    expect(await verify(client, 'jobs', token * 2)).to.equal('unknown');
  });

  it('refuses a name that is too long, and is served where listings are forbidden', async () => {
    const client = await (await startServer({ maxNameBytes: 4 }, undefined, { dump: false })).connect();
    expect(await client.ask('verify', { lockName: 'fives', token: 1 })).to.include({ limit: 'maxNameBytes' });
    const token = await client.take('jobs');
    expect(await verify(client, 'jobs', token)).to.equal('current');
  });
});
