/**
 * Runs the tests that start a server in their own process on a cluster: once with their clients at the server that leads, once at one
 * that forwards them. Ends with mocha's code.
 *
 *     npm run build && node dist/test/cluster/cluster-suite.js [leader] [standby] [--folders=protocols,server]
 */

import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

/** A client whose connection is forwarded learns of a broken one later than its tests expect. */
const FOLDERS: Readonly<Record<string, string>> = {
  leader: 'client,protocols,server',
  standby: 'foreign,protocols,server',
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { folders: { type: 'string' } } });
const modes = positionals.length > 0 ? positionals : ['leader', 'standby'];
const requires = ['./dist/test/support/unhandled-rejections.js', './dist/test/cluster/not-in-cluster.js'];
const options = ['--no-config', '--timeout', '30000', '--exit', '--parallel', '--jobs', '3', '--enable-source-maps'];

for (const mode of modes) {
  console.log(`=== in a cluster, at the ${mode}`);
  const folders = (values.folders ?? FOLDERS[mode] ?? '').split(',');
  const specs = folders.map((folder) => `dist/test/${folder}/**/*.test.js`);
  const args = ['mocha', ...options, ...requires.flatMap((file) => ['--require', file]), ...specs];
  const { status } = spawnSync('npx', args, {
    stdio: 'inherit',
    env: { ...process.env, HOLDFAST_TEST_CLUSTER: mode },
  });
  if (status !== 0) process.exitCode = status ?? 1;
}
