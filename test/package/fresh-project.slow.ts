/**
 * Uses the published package like its users, with tools that npm installs for that. Too slow to be part of `npm test`.
 *
 *     npm run test:package
 */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { LockServer } from '../../lib/server/lock-server.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { LOOPBACK } from '../server/running-server.ts';
import { FreshProject } from './fresh-project.ts';

const TOOLS = [
  ...['@rollup/plugin-commonjs@29.0.3', '@rollup/plugin-json@6.1.0', '@rollup/plugin-node-resolve@16.0.3'],
  ...['esbuild@0.28.2', 'jest@30.5.2', 'jest-environment-jsdom@30.5.2', 'jest-fixed-jsdom@0.0.11', 'rollup@4.68.8'],
  ...['typescript@7.0.2', 'vite@8.3.8', 'webpack@5.112.2', 'webpack-cli@7.3.1'],
];

/** Takes a lock at the given address, and prints its token. */
const PROGRAM = `
import { LockClient } from 'holdfast';
const { HOLDFAST_PORT, HOLDFAST_URL } = process.env;
async function main() {
  const client = await LockClient.connect(HOLDFAST_URL ? { url: HOLDFAST_URL } : { port: Number(HOLDFAST_PORT) });
  await client.locked('jobs', ({ token }) => console.log('token ' + token));
  await client.close();
}
main();
`;
const PRINTED = /^token \d+\n$/;

const PAGE = `
import { LockClient } from 'holdfast';
new LockClient({ url: 'ws://127.0.0.1:20934' }).locked('jobs', ({ token }) => { document.title = String(token); });
`;

const COMMON_JS = `
const { LockClient } = require('holdfast');
const { startTestServer } = require('holdfast/testing');
test('takes turns', async () => {
  const server = await startTestServer();
  const client = await server.client();
  expect(client).toBeInstanceOf(LockClient);
  expect(await client.locked('jobs', () => 'done')).toBe('done');
  await server.close();
});
`;

/** A test of Jest that is an ES module. */
const ES_MODULE = COMMON_JS.replace(/const (.*) = require\((.*)\);/g, 'import $1 from $2;');

/** A test of Jest in jsdom, whose program takes a lock. `place` is where the server is, as options of the client. */
function pageTest(environment: string, place: string): string {
  return `/** @jest-environment ${environment} */
const { LockClient } = require('holdfast');
test('takes a lock', async () => {
  const client = await LockClient.connect(${place});
  expect(await client.locked('jobs', () => document.nodeType)).toBe(9);
  await client.close();
});
`;
}

/** Packages that are CommonJS ask for `require`, which an ES module has to make for them. */
const ESBUILD_BANNER =
  "--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

describe('the published package, in a fresh project', function () {
  this.timeout(300_000);
  let project: FreshProject;
  let server: LockServer;
  let byTcp: NodeJS.ProcessEnv;
  let byWebSocket: NodeJS.ProcessEnv;

  before(async function () {
    if (!isRegistryReached()) {
      if (process.env.CI !== undefined && process.env.CI !== '') throw new Error('npm reaches no registry');
      console.log('  skipped: npm reaches no registry');
      this.skip();
    }
    server = new LockServer();
    const ports = [
      await server.listen(tcp(LOOPBACK)),
      await server.listen(webSocket({ ...LOOPBACK, origins: [], hosts: [], maxMessageBytes: 65_536 })),
    ].map((address) => address.split(':').at(-1));
    byTcp = { HOLDFAST_PORT: ports[0], HOLDFAST_URL: '' };
    byWebSocket = { HOLDFAST_URL: `ws://127.0.0.1:${ports[1]}` };
    project = await FreshProject.make();
    await project.install(...TOOLS);
    project.write({ 'main.mjs': PROGRAM, 'page.mjs': PAGE });
  });
  after(async () => {
    project?.remove();
    await server?.close();
  });

  /** Expects that a bundle works by TCP and by WebSocket in any folder. */
  async function expectBundleWorks(folder: string, file: string): Promise<void> {
    expect(await project.runElsewhere(folder, file, byTcp)).to.match(PRINTED);
    expect(await project.runElsewhere(folder, file, byWebSocket)).to.match(PRINTED);
  }

  async function npx(...args: string[]): Promise<string> {
    return await project.run('npx', ['--no-install', ...args]);
  }

  it('is imported', async () => {
    expect(await project.run(process.execPath, ['main.mjs'], byTcp)).to.match(PRINTED);
    expect(await project.run(process.execPath, ['main.mjs'], byWebSocket)).to.match(PRINTED);
  });

  it('is required from CommonJS', async () => {
    const script = PROGRAM.replace(/^import (.*) from 'holdfast';$/m, "const $1 = require('holdfast');");
    project.write({ 'main.cjs': script });
    for (const option of ['--no-warnings', '--no-experimental-require-module']) {
      expect(await project.run(process.execPath, [option, 'main.cjs'], byTcp)).to.match(PRINTED);
    }
  });

  it('has programs that npx starts', async () => {
    expect(await npx('holdfast-server', '--version')).to.match(/^\d+\.\d+\.\d+\n$/);
    expect(await npx('holdfast-test-client', '--help')).to.include('Usage');
    expect(await npx('holdfast-glockd', '-h').catch((error: Error) => error.message)).to.include('-port');
  });

  it('has no script that names a missing source map', () => {
    const folder = join(project.path, 'node_modules/holdfast');
    const scripts = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'));
    expect(scripts).to.include('dist/lib/index.js');
    for (const script of scripts) expect(readFileSync(join(folder, script), 'utf8')).to.not.include('sourceMappingURL');
  });

  it('is typed for a project with no options but strict', async () => {
    project.write({ 'main.mts': PROGRAM.replace('process.env;', 'process.env as Record<string, string>;') });
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022'];
    expect(await npx('tsc', ...options, 'main.mts')).to.equal('');
    project.write({ 'main.cts': "import holdfast = require('holdfast');\nnew holdfast.LockClient({ port: 1 });\n" });
    expect(await npx('tsc', ...options, '--types', '', 'main.cts')).to.equal('');
  });

  for (const [format, file, ...more] of [
    ['esm', 'main.mjs', ESBUILD_BANNER],
    ['cjs', 'main.cjs'],
  ] as const) {
    it(`is bundled by esbuild, as ${format}`, async () => {
      const folder = `esbuild-${format}`;
      const options = ['--bundle', '--platform=node', `--format=${format}`, '--log-level=warning', ...more];
      expect(await npx('esbuild', 'main.mjs', ...options, `--outfile=${folder}/${file}`)).to.equal('');
      await expectBundleWorks(folder, file);
    });
  }

  it('is bundled by rollup', async () => {
    project.write({ 'rollup.config.mjs': ROLLUP_CONFIG });
    await npx('rollup', '--config', 'rollup.config.mjs', '--failAfterWarnings');
    await expectBundleWorks('rollup', 'main.mjs');
  });

  it('is bundled by vite for Node, and for a page', async () => {
    project.write({ 'vite.config.mjs': VITE_CONFIG, 'index.html': '<script type="module" src="/page.mjs"></script>' });
    expect(await npx('vite', 'build', '--ssr', 'main.mjs', '--outDir', 'vite-node', '--logLevel', 'warn')).to.equal('');
    await expectBundleWorks('vite-node', 'main.mjs');
    expect(await npx('vite', 'build', '--outDir', 'vite-page', '--logLevel', 'warn')).to.equal('');
  });

  it('is bundled by webpack for Node, and for a page', async () => {
    project.write({ 'webpack.config.cjs': WEBPACK_CONFIG });
    const printed = await npx('webpack', '--config', 'webpack.config.cjs');
    expect(printed).to.not.match(/warning|error/i);
    await expectBundleWorks('webpack', 'main.js');
    expect(readdirSync(join(project.path, 'webpack'))).to.include('page.js');
  });

  async function jest(file: string, environment: NodeJS.ProcessEnv = {}): Promise<string> {
    const args = ['--no-install', 'jest', '--testMatch', `**/${file}`];
    return await project.run('npx', args, { ...byTcp, ...byWebSocket, ...environment });
  }

  it('works in tests of Jest with no configuration', async () => {
    project.write({ 'locks.test.js': COMMON_JS });
    expect(await jest('locks.test.js')).to.include('1 passed');
  });

  it('works in tests of Jest that are ES modules', async () => {
    project.write({ 'locks.test.mjs': ES_MODULE });
    expect(await jest('locks.test.mjs', { NODE_OPTIONS: '--experimental-vm-modules' })).to.include('1 passed');
  });

  it('works in tests of Jest in jsdom, by TCP and in the entry for tests', async () => {
    const own = `/** @jest-environment jsdom */\n${COMMON_JS}`;
    const place = '{ port: Number(process.env.HOLDFAST_PORT) }';
    project.write({ 'jsdom/page.test.js': pageTest('jsdom', place), 'jsdom/own.test.js': own });
    expect(await jest('jsdom/*.test.js')).to.include('2 passed');
  });

  it('is made in tests of Jest in jsdom that are ES modules', async () => {
    project.write({ 'made.test.mjs': MADE_IN_JSDOM });
    expect(await jest('made.test.mjs', { NODE_OPTIONS: '--experimental-vm-modules' })).to.include('1 passed');
  });

  it('works in the environment that the documents tell for WebSocket', async () => {
    const environment = environmentOfDocuments();
    project.write({ 'socket.test.js': pageTest(environment, '{ url: process.env.HOLDFAST_URL }') });
    expect(await jest('socket.test.js')).to.include('1 passed');
    const asModule = pageTest(environment, '{ port: Number(process.env.HOLDFAST_PORT) }');
    project.write({ 'socket.test.mjs': asModule.replace(/const (.*) = require\((.*)\);/, 'import $1 from $2;') });
    expect(await jest('socket.test.mjs', { NODE_OPTIONS: '--experimental-vm-modules' })).to.include('1 passed');
  });
});

const MADE_IN_JSDOM = `/** @jest-environment jsdom */
import { LockClient } from 'holdfast';
test('is made', () => expect(new LockClient({ port: 1 }).state).toBe('idle'));
`;

const ROLLUP_CONFIG = `
import commonjs from '@rollup/plugin-commonjs';
import json from '@rollup/plugin-json';
import resolve from '@rollup/plugin-node-resolve';
export default {
  input: 'main.mjs',
  output: { dir: 'rollup', format: 'es', entryFileNames: '[name].mjs', chunkFileNames: '[name].mjs' },
  plugins: [resolve({ preferBuiltins: true, exportConditions: ['node'] }), commonjs({ ignoreDynamicRequires: true }), json()],
};
`;

const VITE_CONFIG = `
export default { ssr: { noExternal: true }, build: { minify: false } };
`;

const WEBPACK_CONFIG = `
const { IgnorePlugin } = require('webpack');
// What the package ws looks for and does without.
const plugins = [new IgnorePlugin({ resourceRegExp: /^(bufferutil|utf-8-validate)$/ })];
const common = { mode: 'production', stats: 'errors-warnings', plugins };
module.exports = [
  { ...common, target: 'node20', entry: './main.mjs', output: { path: __dirname + '/webpack', filename: 'main.js' } },
  { ...common, target: 'web', entry: './page.mjs', output: { path: __dirname + '/webpack', filename: 'page.js' } },
];
`;

/** The environment that `docs/testing.md` recommends, of which the package is installed here. */
function environmentOfDocuments(): string {
  const [, name] = /@jest-environment ([a-z-]+)/.exec(readFileSync('docs/testing.md', 'utf8')) ?? [];
  if (name === undefined) throw new Error('docs/testing.md tells no environment');
  return name;
}

function isRegistryReached(): boolean {
  try {
    execFileSync('npm', ['view', 'eventemitter3', 'version'], { stdio: 'ignore', timeout: 30_000 });
    return true;
  } catch {
    return false;
  }
}
