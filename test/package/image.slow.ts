/**
 * Builds the image and runs it, where a container engine is there that reaches its registry.
 *
 *     npm run test:package
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { until } from '../server/raw-client.ts';

const IMAGE = 'holdfast-test';
const CONTAINER = `holdfast-test-${process.pid}`;

/** The first engine that runs. */
const ENGINE: string | undefined = ['docker', 'podman'].find((name) => spawnSync(name, ['info']).status === 0);

describe('the image', function () {
  this.timeout(600_000);

  before(function () {
    if (ENGINE !== undefined) return;
    console.log('      skipped: no container engine is running');
    this.skip();
  });
  after(() => {
    if (ENGINE === undefined) return;
    spawnSync(ENGINE, ['rm', '--force', '--volumes', CONTAINER]);
    spawnSync(ENGINE, ['rmi', IMAGE]);
  });

  it('runs a server without rights, whose health is good', async () => {
    engine('build', '--tag', IMAGE, '.');
    engine('run', '--detach', '--name', CONTAINER, '--init', '--read-only', '--cap-drop', 'ALL', IMAGE);
    await until(() => engine('inspect', '--format', '{{.State.Health.Status}}', CONTAINER) === 'healthy');
    const locked = engine('exec', CONTAINER, 'node', 'bin/holdfast.js', 'run', '-n', 'jobs', '--', 'id', '-u', '-n');
    expect(locked).to.equal('node');
    engine('stop', CONTAINER);
    expect(engine('inspect', '--format', '{{.State.ExitCode}}', CONTAINER)).to.equal('0');
  });

  function engine(...args: readonly string[]): string {
    return execFileSync(ENGINE as string, args, { encoding: 'utf8', stdio: 'pipe' }).trim();
  }
});
