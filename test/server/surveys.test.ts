import { expect } from 'chai';
import { Surveys } from '../../lib/server/surveys.ts';
import { MonitoredServer } from '../http/monitored-server.ts';
import { endTest } from './clean-up.ts';

describe('a survey of the locks', () => {
  afterEach(endTest);

  it('tells the 50 oldest holds, the longest first, and counts all', async () => {
    const server = await MonitoredServer.start();
    const client = await server.running.connect();
    const tokens: number[] = [];
    for (let index = 0; index < 60; index += 1) tokens.push(await client.take(`lock ${index}`));
    await client.take('permit', { mode: 'permit' });
    const { longestHolds, holders } = await server.api('blocked');
    expect(longestHolds).to.have.lengthOf(50);
    const heldMs = longestHolds.map((hold: { readonly heldMs: number }) => hold.heldMs);
    expect(heldMs).to.deep.equal([...heldMs].sort((a, b) => b - a));
    expect(longestHolds[0].token).to.be.oneOf(tokens.slice(0, 50));
    expect(holders).to.deep.equal({ exclusive: 60, shared: 0, permit: 1 });
  });

  it('is shared by all who ask at about the same time', async () => {
    const { monitor } = (await MonitoredServer.start()).running.server;
    const surveys = new Surveys();
    const [first, second] = await Promise.all([surveys.latest(monitor), surveys.latest(monitor)]);
    const third = await surveys.latest(monitor);
    expect(second.survey).to.equal(first.survey);
    expect(third.survey).to.equal(first.survey);
    // Another server has locks of its own.
    const { monitor: other } = (await MonitoredServer.start()).running.server;
    expect((await surveys.latest(other)).survey).not.to.equal(first.survey);
  });
});
