import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { completeSettings } from '../../lib/cli/settings.ts';
import { COUNTERS, GAUGES } from '../../lib/http/metrics.ts';
import { MonitoredServer } from '../http/monitored-server.ts';
import { endTest } from '../server/clean-up.ts';

const document = readFileSync('docs/monitoring.md', 'utf8');

/** Each value by its type. Of a list the first entry counts, and what is empty in the example stands for anything. */
function expectForm(answer: unknown, example: unknown, at: string): void {
  if (typeof example !== 'object' || example === null) {
    expect(typeof answer, at).to.equal(typeof example);
    return;
  }
  const keys = Object.keys(example);
  if (keys.length === 0) return;
  if (Array.isArray(example)) expectForm((answer as unknown[])[0], example[0], `${at}[0]`);
  else {
    expect(answer, at).to.have.all.keys(keys);
    for (const key of keys) {
      expectForm((answer as Record<string, unknown>)[key], (example as Record<string, unknown>)[key], `${at}.${key}`);
    }
  }
}

describe('docs/monitoring.md', () => {
  afterEach(endTest);

  it('shows what each path of the API answers', async () => {
    const server = await MonitoredServer.start();
    const [first, second, third] = await server.running.connectThree();
    await third.take('released');
    await third.ask('unlock', { lockName: 'released' });
    await first.take('report', { owner: 'a' });
    await second.take('stock', { owner: 'b' });
    await second.queue(7, 'report', { owner: 'b' });
    await third.queue(8, 'stock', { owner: 'c' });
    const [{ address }] = (await server.api('clients')).clients;
    const examples = [...document.matchAll(/```http\nGET \/(\S+)\n```\n\n```json\n([\s\S]*?)```/g)];
    expect(examples).to.have.lengthOf(8);
    for (const [, path = '', json = ''] of examples) {
      const { status, text } = await server.get(path.replace('ADDRESS', address));
      expect(status, path).to.equal(200);
      expectForm(JSON.parse(text), JSON.parse(json), path);
    }
  });

  it('shows settings that the server takes, and each default', () => {
    const examples = [...document.matchAll(/^```json\n(\{ "(?:http|metrics)"[\s\S]*?)```$/gm)].map(
      ([, json]) => json as string,
    );
    expect(examples).to.have.lengthOf(2);
    for (const example of examples) completeSettings(JSON.parse(example), 'docs/monitoring.md');
    const { http } = JSON.parse(readFileSync('config/settings.json', 'utf8'));
    for (const [name, value] of Object.entries(http)) {
      expect(document).to.include(`| \`${name}\` | ${Array.isArray(value) ? 'none' : `\`${value}\``} |`);
    }
  });

  it('lists all metrics with their labels', () => {
    const rows = [...document.matchAll(/^\| `holdfast_(\w+)` \| ([`\w, ]*)\|/gm)].map(([, name, labels = '']) => [
      name,
      ...(labels.match(/\w+/g) ?? []),
    ]);
    const described = [...GAUGES, ...COUNTERS].map(({ name, label, further = [] }) => [name, ...further, label]);
    const known = [...described, ['wait_seconds', 'le'], ['hold_seconds', 'le']];
    expect(rows).to.have.deep.members(known.map((each) => each.filter((part) => part !== undefined)));
  });

  it('comes with alerts and a dashboard that ask for metrics that there are', () => {
    const alerts = readFileSync('examples/monitoring/alerts.yml', 'utf8');
    const dashboard = readFileSync('examples/monitoring/dashboard.json', 'utf8');
    expect(JSON.parse(dashboard).panels).to.have.lengthOf(10);
    const asked = new Set(`${alerts}${dashboard}`.match(/holdfast_\w+(?=[{[\s/),\\"'])/g));
    const known = [...GAUGES, ...COUNTERS].map(({ name }) => `holdfast_${name}`);
    expect(asked.size).to.be.greaterThan(15);
    expect([...known, 'holdfast_wait_seconds_bucket', 'holdfast_hold_seconds_bucket']).to.include.members([...asked]);
  });
});
