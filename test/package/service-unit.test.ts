import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { needs } from '../foreign/system-program.ts';

/** Tenths of what systemd-analyze prints, where 0 is a service that may do nothing and 10 is one that may do anything. */
const MAX_EXPOSURE = 25;

describe('examples/holdfast.service', () => {
  it('gives the server few rights, as systemd-analyze counts them', function () {
    needs(this, 'systemd-analyze');
    const args = [
      'security',
      '--offline=yes',
      `--threshold=${MAX_EXPOSURE}`,
      '--no-pager',
      'examples/holdfast.service',
    ];
    const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    expect(status, stdout).to.equal(0);
  });
});
