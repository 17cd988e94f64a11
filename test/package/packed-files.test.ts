import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { expect } from 'chai';
import { build } from 'esbuild';
import { VERSION } from '../../lib/server/version.ts';

/** Files of the package as npm would publish them. */
function packedFiles(): string[] {
  const output = execFileSync('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], { encoding: 'utf8' });
  const [{ files }] = JSON.parse(output) as [{ files: { path: string }[] }];
  return files.map(({ path }) => path);
}

/** Places within the package that a document links to. */
function linksOf(document: string): string[] {
  const links = readFileSync(document, 'utf8').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g);
  return [...links].map(([, link]) => posix.join(posix.dirname(document), link as string));
}

describe('the packed package', () => {
  it('has everything that its documents link to', () => {
    const files = packedFiles();
    const documents = files.filter((file) => file.endsWith('.md'));
    expect(documents).to.include.members(['README.md', 'CONTRIBUTING.md', 'docs/client.md']);
    const isThere = (link: string): boolean => files.some((file) => file === link || file.startsWith(`${link}/`));
    for (const document of documents) {
      expect(
        linksOf(document).filter((link) => !isThere(link)),
        document,
      ).to.deep.equal([]);
    }
  });

  it('has the version that its code tells', () => {
    expect((JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version).to.equal(VERSION);
  });

  for (const format of ['esm', 'cjs'] as const) {
    it(`makes a program that runs anywhere when it is bundled as ${format}`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-bundle-'));
      const outfile = join(folder, format === 'esm' ? 'main.mjs' : 'main.cjs');
      try {
        const contents = "import { LockClient } from 'holdfast'; console.log(new LockClient({ port: 9 }).state);";
        const { warnings } = await build({
          stdin: { contents, resolveDir: process.cwd() },
          bundle: true,
          platform: 'node',
          format,
          outfile,
          logLevel: 'silent',
        });
        expect(warnings).to.deep.equal([]);
        expect(existsSync(join(folder, 'node_modules'))).to.equal(false);
        expect(execFileSync(process.execPath, [outfile], { cwd: folder, encoding: 'utf8' })).to.equal('idle\n');
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});
