import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { expect } from 'chai';
import { type BuildOptions, build } from 'esbuild';
import { VERSION } from '../../lib/server/version.ts';

/** Files of the package as npm would publish them. */
function packedFiles(): string[] {
  const output = execFileSync('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], { encoding: 'utf8' });
  const [{ files }] = JSON.parse(output) as [{ files: { path: string }[] }];
  return files.map(({ path }) => path);
}

/** Files of the package that a document links to. */
function linksOf(document: string): string[] {
  const links = readFileSync(document, 'utf8').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g);
  return [...links].map(([, link]) => posix.join(posix.dirname(document), link as string));
}

/** The anchors of a document's headings, as on the web. */
function anchorsOf(document: string): string[] {
  const headings = readFileSync(document, 'utf8').matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, text]) =>
    (text as string)
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('the packed package', () => {
  let files: string[];
  let documents: string[];

  before(() => {
    files = packedFiles();
    documents = files.filter((file) => file.endsWith('.md'));
  });

  it('has everything that its documents link to', () => {
    expect(documents).to.include.members(['README.md', 'CONTRIBUTING.md', 'docs/client.md']);
    const isThere = (link: string): boolean => files.some((file) => file === link || file.startsWith(`${link}/`));
    for (const document of documents) {
      expect(
        linksOf(document).filter((link) => !isThere(link)),
        document,
      ).to.deep.equal([]);
    }
  });

  it('has the headings that its documents link to', () => {
    for (const document of documents) {
      for (const [, path, anchor] of readFileSync(document, 'utf8').matchAll(/\]\(([^)#:]*)#([^)]+)\)/g)) {
        const target = path === '' ? document : posix.join(posix.dirname(document), path as string);
        expect(anchorsOf(target), `${target} for ${document}`).to.include(anchor);
      }
    }
  });

  it('has the version that its code tells', () => {
    expect((JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version).to.equal(VERSION);
  });

  for (const format of ['esm', 'cjs'] as const) {
    it(`makes a program that runs anywhere when it is bundled as ${format}`, async () => {
      const program = "import { LockClient } from 'holdfast'; console.log(new LockClient({ port: 9 }).state);";
      expect(await runBundled(program, { format })).to.equal('idle\n');
    });

    it(`makes a server that runs anywhere when it is bundled as ${format}`, async () => {
      // CommonJS packages of the server call `require`, which an ES module has to make.
      const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
      const options: BuildOptions = format === 'esm' ? { format, banner: { js: banner } } : { format };
      expect(await runBundled(SERVER_PROGRAM, options)).to.equal('done\n');
    });
  }
});

/** Uses the server, the client, the entry for tests and that of the datastores. */
const SERVER_PROGRAM = `
import { HoldfastDatastore } from 'holdfast/datastores';
import { LockClient, LockServer, tcp } from 'holdfast';
import { startTestServer } from 'holdfast/testing';
async function main() {
  const server = new LockServer();
  const address = await server.listen(tcp({ host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] }));
  const client = await LockClient.connect({ port: Number(address.split(':').at(-1)) });
  new HoldfastDatastore(client);
  console.log(await client.locked('jobs', () => 'done'));
  await client.close();
  await server.close();
  await (await startTestServer()).close();
}
main();
`;

/** Bundles a program, without a warning, and runs it in a folder without packages; resolves to its output. */
async function runBundled(program: string, options: BuildOptions): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bundle-'));
  const outfile = join(folder, options.format === 'esm' ? 'main.mjs' : 'main.cjs');
  const stdin = { contents: program, resolveDir: process.cwd() };
  try {
    const fixed = { stdin, bundle: true, platform: 'node', outfile, logLevel: 'silent' } as const;
    const { warnings } = await build({ ...options, ...fixed });
    expect(warnings).to.deep.equal([]);
    return execFileSync(process.execPath, [outfile], { cwd: folder, encoding: 'utf8' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
