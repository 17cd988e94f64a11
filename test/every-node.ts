/**
 * Runs the tests on each Node that is supported, both with accepted sockets used directly and with them as streams, one run
 * after the other. Other Nodes than the one that runs this are installed into a folder of their own. Ends with code 1 when
 * a run failed, or when a Node could not be had.
 *
 *     npm run test:nodes [-- 22 24:streams ...] [-- --folders=transports,message]
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One run of the tests. */
interface Run {
  readonly node: string;
  readonly sockets: 'direct' | 'streams';
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MOCHA = join(ROOT, 'node_modules/mocha/bin/mocha.js');
const NODES = ['20', '22', '24'];
const FOLDERS = '--folders=';

/** A Node, optionally with the way of using sockets: with `22` that is directly, with `22:streams` as streams. */
function runOf(argument: string): Run {
  const [, node, sockets = 'direct'] = /^(\d+)(?::(direct|streams))?$/.exec(argument) ?? [];
  if (node === undefined) {
    throw new Error(`a run is ${JSON.stringify(argument)}; expected a Node such as 22, 22:direct or 22:streams`);
  }
  return { node, sockets: sockets as Run['sockets'] };
}

/** The files to be tested: all, or those of some folders. */
function specOf(folders: string | undefined): string[] {
  if (folders === undefined) return ['dist/test/**/*.test.js'];
  return folders.split(',').map((folder) => {
    if (folder === '' || !existsSync(join(ROOT, 'dist/test', folder))) {
      throw new Error(`--folders has ${JSON.stringify(folder)}; expected folders of test/`);
    }
    return `dist/test/${folder}/**/*.test.js`;
  });
}

/** The folder with the program of a Node. */
function programFolder(node: string, temporary: string): string {
  if (process.versions.node.startsWith(`${node}.`)) return dirname(process.execPath);
  const prefix = join(temporary, node);
  const install = ['install', '--prefix', prefix, '--no-save', '--no-audit', '--no-fund', `node@${node}`];
  execFileSync('npm', install, { stdio: ['ignore', 'ignore', 'inherit'] });
  const folder = join(prefix, 'node_modules/node/bin');
  const version = execFileSync(join(folder, 'node'), ['--version'], { encoding: 'utf8' }).trim();
  if (!version.startsWith(`v${node}.`)) throw new Error(`node@${node} is ${version}`);
  return folder;
}

/** Runs the tests once. Returns whether all of them passed. */
function test({ node, sockets }: Run, programs: string, config: string): boolean {
  const { HOLDFAST_SOCKETS: _, ...environment } = process.env;
  const { status } = spawnSync(join(programs, 'node'), [MOCHA, '--config', config, '--reporter', 'dot'], {
    cwd: ROOT,
    stdio: 'inherit',
    env: {
      ...environment,
      // Tests start programs by `node`, too.
      PATH: `${programs}${delimiter}${process.env.PATH}`,
      ...(sockets === 'streams' ? { HOLDFAST_SOCKETS: 'streams' } : {}),
    },
  });
  if (status !== 0) console.error(`Node ${node}, ${sockets}: mocha ended with code ${status}`);
  return status === 0;
}

const given = process.argv.slice(2);
const folders = given.find((argument) => argument.startsWith(FOLDERS))?.slice(FOLDERS.length);
const asked = given.filter((argument) => !argument.startsWith(FOLDERS)).map(runOf);
const runs = asked.length > 0 ? asked : NODES.flatMap((node) => [runOf(node), runOf(`${node}:streams`)]);
const temporary = mkdtempSync(join(tmpdir(), 'holdfast-nodes-'));
try {
  const config = join(temporary, 'mocharc.json');
  const common = JSON.parse(readFileSync(join(ROOT, '.mocharc.json'), 'utf8')) as object;
  writeFileSync(config, JSON.stringify({ ...common, spec: specOf(folders) }));
  const programs = new Map(
    [...new Set(runs.map(({ node }) => node))].map((node) => [node, programFolder(node, temporary)]),
  );
  for (const run of runs) {
    const startMs = performance.now();
    console.log(`\n=== Node ${run.node}, sockets used ${run.sockets === 'direct' ? 'directly' : 'as streams'}`);
    if (!test(run, programs.get(run.node) as string, config)) process.exitCode = 1;
    console.log(`${((performance.now() - startMs) / 1_000).toFixed(0)} s`);
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
