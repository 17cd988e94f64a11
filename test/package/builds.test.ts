import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { build } from 'esbuild';

const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: object };
const ENTRIES = Object.keys(exports)
  .filter((key) => key !== './package.json')
  .map((key) => `holdfast${key.slice(1)}`);

/** A Node that cannot require ES modules, as Jest cannot before Node 24.9. */
const WITHOUT_REQUIRE = '--no-experimental-require-module';

/** The JSON that a script prints in a Node with these options. */
function printed(script: string, ...options: string[]): unknown {
  const args = ['--no-warnings', ...options, '--eval', script];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

/** The files of the entries when they are required. */
function required(...options: string[]): string[] {
  const script = `console.log(JSON.stringify(${JSON.stringify(ENTRIES)}.map((entry) => require.resolve(entry))))`;
  return (printed(script, ...options) as string[]).map((path) => relative(process.cwd(), path));
}

/** The files of the entries when they are imported. */
function imported(...options: string[]): string[] {
  const script = `console.log(JSON.stringify(${JSON.stringify(ENTRIES)}.map((entry) => import.meta.resolve(entry))))`;
  const urls = printed(script, '--input-type=module', ...options) as string[];
  return urls.map((url) => relative(process.cwd(), fileURLToPath(url)));
}

/** The names that each entry exports when it is required. */
function names(...options: string[]): unknown {
  const list = `${JSON.stringify(ENTRIES)}.map((entry) => Object.keys(require(entry)).sort())`;
  return printed(`console.log(JSON.stringify(${list}))`, ...options);
}

/** The files of this package that esbuild bundles for a script. */
async function bundled(contents: string, platform: 'node' | 'browser', conditions?: string[]): Promise<string[]> {
  const { metafile } = await build({
    stdin: { contents, resolveDir: process.cwd() },
    bundle: true,
    platform,
    write: false,
    metafile: true,
    logLevel: 'silent',
    ...(conditions === undefined ? {} : { conditions }),
  });
  return Object.keys(metafile.inputs).filter((path) => !path.startsWith('node_modules/') && path !== '<stdin>');
}

describe('the builds of the package', () => {
  it('are ES modules for Node, whether they are imported or required, so that a process has one copy', () => {
    for (const file of imported()) expect(file).to.match(/^dist\/lib\/.*\.js$/);
    expect(required()).to.deep.equal(imported());
    expect(printed("import('holdfast').then((it) => console.log(it === require('holdfast')))")).to.equal(true);
  });

  it('are CommonJS for tools that cannot require ES modules', () => {
    for (const file of required(WITHOUT_REQUIRE)) expect(file).to.match(/^commonjs\/\w+\.cjs$/);
  });

  it('have the same names as CommonJS', () => {
    expect(names(WITHOUT_REQUIRE)).to.deep.equal(names());
  });

  it('share their classes as CommonJS', () => {
    const script = `
      const { LockClient } = require('holdfast');
      const { startTestServer } = require('holdfast/testing');
      startTestServer().then(async (server) => {
        const client = await server.client();
        console.log(client instanceof LockClient && (await client.locked('jobs', () => true)));
        await server.close();
      });`;
    expect(printed(script, WITHOUT_REQUIRE)).to.equal(true);
  });

  it('are those for Node in Jest with jsdom, although that asks for the build for browsers', () => {
    const commonJs = required(WITHOUT_REQUIRE);
    expect(required('--conditions', 'browser')).to.deep.equal(commonJs);
    expect(required('--conditions', 'browser', WITHOUT_REQUIRE)).to.deep.equal(commonJs);
    expect(imported('--conditions', 'browser')).to.deep.equal(imported());
  });

  it('are ES modules for a bundler, whether they are imported or required', async () => {
    for (const script of ["import { LockClient } from 'holdfast'; LockClient;", "require('holdfast').LockClient;"]) {
      const files = await bundled(script, 'node');
      expect(files).to.include('dist/lib/client/lock-client.js');
      for (const file of files) expect(file).to.match(/^dist\/lib\//);
    }
  });

  it('are those for pages if a bundler makes pages, with any other conditions', async () => {
    for (const conditions of [undefined, ['development']]) {
      const files = await bundled("import { LockClient } from 'holdfast'; LockClient;", 'browser', conditions);
      expect(files).to.include('dist/lib/client/browser-client.js');
      expect(files).to.not.include('dist/lib/client/lock-client.js');
    }
  });
});
