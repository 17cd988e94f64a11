import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { planListeners } from '../../lib/cli/listeners.ts';
import { completeSettings } from '../../lib/cli/settings.ts';
import { warnOfEtcd } from '../../lib/cluster/etcd-versions.ts';

const document = readFileSync('docs/cluster.md', 'utf8');

describe('docs/cluster.md', () => {
  it('shows settings that the server takes, once it knows its own address', () => {
    const [, json = ''] = /^ +```json\n([\s\S]*?)^ +```$/m.exec(document) ?? [];
    const { cluster, ...others } = JSON.parse(json) as { readonly cluster: object };
    const settings = completeSettings({ ...others, cluster: { ...cluster, advertise: 'm1:20934' } }, 'docs/cluster.md');
    expect(settings.cluster.etcd).to.have.lengthOf(3);
    expect(planListeners(settings)).to.have.lengthOf(1);
  });

  it('has each rule once, and the code names it where it follows it', () => {
    const rules = [...document.matchAll(/^- (C\d)\./gm)].map(([, rule]) => rule as string);
    expect(rules).to.deep.equal(['C1', 'C2', 'C3', 'C4', 'C5', 'C6', 'C7', 'C8']);
    const architecture = readFileSync('docs/architecture.md', 'utf8');
    for (const rule of rules) {
      const [, places = ''] = new RegExp(`^\\| \\*\\*${rule}\\*\\* \\|[^|]*\\|(.*)\\|$`, 'm').exec(architecture) ?? [];
      const [first = ''] = /`([\w/-]+\.ts)`/.exec(places)?.slice(1) ?? [];
      expect(readFileSync(join('lib', first), 'utf8'), `${rule} in ${first}`).to.match(new RegExp(`\\b${rule}\\b`));
    }
  });

  it('tells the releases of etcd that have no known bug, as the server does', () => {
    const table = document.split('\n').filter((line) => line.includes('https://github.com/etcd-io/etcd/'));
    const fixedIn = table.map((line) => line.split('|').at(-2)?.trim().split(', ') ?? []);
    for (const version of fixedIn.at(-1) ?? []) expect(warnOfEtcd(version), version).to.equal(undefined);
    expect(fixedIn.slice(0, -1).map(([first = '']) => warnOfEtcd(first)?.split(' may ').length)).to.deep.equal([3, 2]);
  });

  it('comes with a unit whose flags the server knows', () => {
    const unit = readFileSync('examples/holdfast-cluster.conf', 'utf8');
    const program = readFileSync('lib/cli/server-command-line.ts', 'utf8');
    const flags = [...unit.matchAll(/ (--[a-z-]+)/g)].map(([, flag]) => flag as string);
    expect(flags).to.include('--cluster-advertise');
    for (const flag of flags) expect(program).to.include(`'${flag} <`);
  });
});
