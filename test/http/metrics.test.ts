import { expect } from 'chai';
import { Durations } from '../../lib/http/durations.ts';
import { Metrics } from '../../lib/http/metrics.ts';
import { groupFinder } from '../../lib/http/name-groups.ts';
import { Surveys } from '../../lib/server/surveys.ts';
import { endTest } from '../server/clean-up.ts';
import { MonitoredServer } from './monitored-server.ts';

describe('the metrics', () => {
  afterEach(endTest);

  it('tell what the server counts, and what stands out', async () => {
    const groups = [
      { match: 'account *', name: 'account' },
      { match: '*', name: 'others' },
    ];
    const server = await MonitoredServer.start({}, { groups });
    const [holder, waiter] = await server.running.connectWaiter('account 1');
    await holder.take('account 2', { mode: 'shared' });
    await holder.take('secret name');
    await holder.ask('unlock', { lockName: 'account 1' });
    expect(await waiter.next()).to.have.property('id', 1);
    await waiter.ask('unlock', { lockName: 'account 2' });
    await waiter.queue(9, 'secret name');
    const { text, headers } = await server.get('metrics');
    expect(headers['content-type']).to.match(/^text\/plain; version=0\.0\.4/);
    for (const line of [
      'holdfast_ready 1',
      'holdfast_leader 1',
      'holdfast_holders{mode="exclusive"} 2',
      'holdfast_holders{mode="shared"} 1',
      'holdfast_waiters{mode="exclusive"} 1',
      'holdfast_grants_total 4',
      'holdfast_releases_total 1',
      'holdfast_ungranted_total{status="timeout"} 0',
      'holdfast_requests_not_ok_total{command="unlock",status="notHeld"} 1',
      'holdfast_group_holders{group="account"} 2',
      'holdfast_group_waiters{group="others"} 1',
      'holdfast_wait_seconds_count 4',
      'holdfast_hold_seconds_count 1',
      'holdfast_hold_seconds_bucket{le="+Inf"} 1',
      'holdfast_limit{limit="maxLocks"} 2000000',
      'holdfast_usage{limit="maxLocks"} 3',
    ]) {
      expect(`\n${text}`).to.include(`\n${line}\n`);
    }
    expect(text).not.to.include('secret').and.not.include('account 1');
    // Nothing needs to be reserved without a lasting ledger.
    expect(text).not.to.match(/^holdfast_reserved_tokens/m);
    expect(text).to.match(/^nodejs_eventloop_lag_seconds /m);
  });

  it('are the same for several who ask at once', async () => {
    const server = await MonitoredServer.start();
    const client = await server.running.connect();
    await client.take('stock');
    const { monitor } = server.running.server;
    const metrics = new Metrics(() => ({ role: 'single', monitor }), new Surveys(), new Durations());
    const texts = await Promise.all([metrics.text(), metrics.text(), metrics.text()]);
    const grants = texts.map((text) => /^holdfast_grants_total .*$/m.exec(text)?.[0]);
    expect(grants).to.deep.equal(Array(3).fill('holdfast_grants_total 1'));
  });

  it('count a hold in the group that fits first', () => {
    const groupOf = groupFinder([
      { match: 'a*c*e', name: 'stars' },
      { match: 'plain', name: 'plain' },
      { match: 'ab*ba', name: 'overlap' },
    ]);
    const names = ['ace', 'abcde', 'abde', 'plain', 'plain2', 'aba', 'abba', 'abxba', 'acex'];
    expect(names.map((name) => groupOf?.(name))).to.deep.equal([
      ...['stars', 'stars', undefined, 'plain', undefined, undefined, 'overlap', 'overlap', undefined],
    ]);
    expect(groupFinder([])).to.equal(undefined);
  });
});
