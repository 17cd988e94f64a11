import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { build } from 'esbuild';

const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: object };
const ENTRIES = Object.keys(exports)
  .filter((key) => key !== './package.json')
  .map((key) => `holdfast${key.slice(1)}`);

/** A Node that cannot require ES modules, as Jest cannot before Node 24.9. */
const WITHOUT_REQUIRE = '--no-experimental-require-module';

/** What a script prints, as JSON, in a Node with these options. */
function printed(script: string, ...options: string[]): unknown {
  const args = ['--no-warnings', ...options, '--eval', script];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

function required(entry: string, ...options: string[]): string {
  const script = `console.log(JSON.stringify(require.resolve('${entry}')))`;
  return relative(process.cwd(), printed(script, ...options) as string);
}

function imported(entry: string, ...options: string[]): string {
  const script = `console.log(JSON.stringify(import.meta.resolve('${entry}')))`;
  const url = printed(script, '--input-type=module', ...options) as string;
  return url.replace(`${pathToFileURL(process.cwd())}/`, '');
}

/** The files of this package that esbuild takes for a script. */
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
    for (const entry of ENTRIES) {
      expect(imported(entry), entry).to.match(/^dist\/lib\/.*\.js$/);
      expect(required(entry), entry).to.equal(imported(entry));
      const same = `import('${entry}').then((it) => console.log(it === require('${entry}')))`;
      expect(printed(same), entry).to.equal(true);
    }
  });

  it('are CommonJS for what cannot require ES modules', () => {
    for (const entry of ENTRIES) expect(required(entry, WITHOUT_REQUIRE), entry).to.match(/^commonjs\/\w+\.cjs$/);
  });

  it('have the same names as CommonJS', () => {
    for (const entry of ENTRIES) {
      const names = `console.log(JSON.stringify(Object.keys(require('${entry}')).sort()))`;
      expect(printed(names, WITHOUT_REQUIRE), entry).to.deep.equal(printed(names));
    }
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

  it('are those for Node in Jest with jsdom, which asks for what is meant for browsers', () => {
    const jsdom = ['--conditions', 'browser'];
    for (const options of [jsdom, [...jsdom, WITHOUT_REQUIRE]]) {
      for (const entry of ENTRIES) expect(required(entry, ...options), entry).to.match(/^commonjs\/\w+\.cjs$/);
      expect(required('holdfast', ...options)).to.equal('commonjs/index.cjs');
    }
    expect(imported('holdfast', ...jsdom)).to.equal('dist/lib/index.js');
  });

  it('are ES modules for a bundler, whether they are imported or required', async () => {
    for (const script of ["import { LockClient } from 'holdfast'; LockClient;", "require('holdfast').LockClient;"]) {
      const files = await bundled(script, 'node');
      expect(files).to.include('dist/lib/client/lock-client.js');
      for (const file of files) expect(file).to.match(/^dist\/lib\//);
    }
  });

  it('are those for pages for a bundler that makes pages, whatever else it asks for', async () => {
    for (const conditions of [undefined, ['development']]) {
      const files = await bundled("import { LockClient } from 'holdfast'; LockClient;", 'browser', conditions);
      expect(files).to.include('dist/lib/client/browser-client.js');
      expect(files).to.not.include('dist/lib/client/lock-client.js');
    }
  });
});
