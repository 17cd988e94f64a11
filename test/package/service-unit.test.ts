import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { needs } from '../foreign/system-program.ts';

/** Tenths of what systemd-analyze prints, where 0 is a service that may do nothing and 10 is one that may do anything. */
const MAX_EXPOSURE = 25;
const UNIT = 'examples/holdfast.service';

describe(UNIT, () => {
  it('gives the server few rights, as systemd-analyze counts them', function () {
    needs(this, 'systemd-analyze');
    const args = ['security', '--offline=yes', `--threshold=${MAX_EXPOSURE}`, '--no-pager', UNIT];
    const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    expect(status, stdout).to.equal(0);
  });

  it('is what docs/operations.md changes to keep keys of TLS', () => {
    const unit = readFileSync(UNIT, 'utf8');
    const [, shown = ''] = /^```ini\n([\s\S]*?)^```$/m.exec(readFileSync('docs/operations.md', 'utf8')) ?? [];
    const [start = ''] = /^ExecStart=.*$/m.exec(unit) ?? [];
    const [options = ''] = /--tls-cert %d\S* --tls-key %d[^\s`]*/.exec(unit) ?? [];
    const credentials = [...unit.matchAll(/^#(LoadCredential=.*)$/gm)].map(([, line]) => line);
    expect(credentials).to.have.lengthOf(2);
    const expected = ['# systemctl edit holdfast', '[Service]', ...credentials, 'ExecStart=', `${start} ${options}`];
    expect(shown.trim().split('\n')).to.deep.equal(expected);
  });
});
