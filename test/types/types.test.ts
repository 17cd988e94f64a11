import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect } from 'chai';
import { PackedPackage, type Project } from './packed-package.ts';

const NODE = {
  packages: ['eventemitter3', '@types/node', 'undici-types'],
  compilerOptions: { lib: ['es2022'], types: [], module: 'nodenext' },
};
const BROWSER = {
  packages: ['eventemitter3'],
  compilerOptions: {
    lib: ['es2022', 'dom'],
    types: [],
    module: 'esnext',
    moduleResolution: 'bundler',
  },
};

describe('the types of the package', function () {
  this.timeout(60_000);
  let packed: PackedPackage;

  before(async () => {
    packed = await PackedPackage.pack();
  });
  after(() => packed?.remove());

  it('accept a program for Node and all entry points, and refuse each mistake for its reason', async () => {
    const { entries } = packed;
    expect(entries).to.include.members(['holdfast', 'holdfast/browser', 'holdfast/datastores']);
    await expectMistakesOnly(NODE, { 'node.ts': read('node.ts'), ...importing(entries) }, 'node-mistakes.ts');
  });

  it('accept a page and its entry point, and refuse each mistake for its reason', async () => {
    const files = { 'browser.ts': read('browser.ts'), ...importing(['holdfast/browser']) };
    await expectMistakesOnly(BROWSER, files, 'browser-mistakes.ts');
  });

  it('are those for browsers if the condition browser is set', async () => {
    const compilerOptions = { ...BROWSER.compilerOptions, customConditions: ['browser'] };
    const files = { 'page.ts': read('browser.ts').replace("'holdfast/browser'", "'holdfast'") };
    expect(await packed.compile({ ...BROWSER, compilerOptions, files })).to.deep.equal([]);
  });

  it('are missed when a package that they need is not there', async () => {
    const project = { ...NODE, packages: NODE.packages.slice(1), files: importing(['holdfast']) };
    expect(await packed.compile(project)).to.not.deep.equal([]);
  });

  it('name no other package than eventemitter3, and for browsers not even Node', () => {
    const entries = typesOf(JSON.parse(readFileSync(join(packed.path, 'package.json'), 'utf8')).exports);
    expect(entries).to.include.members(['dist/lib/index.d.ts', 'dist/lib/browser.d.ts']);
    for (const entry of entries) {
      const names = namesIn(packed.path, entry);
      for (const name of names) expect(name, entry).to.match(/^(eventemitter3|node(:[a-z]+)?)$/);
      if (entry.endsWith('browser.d.ts')) expect(names).to.deep.equal(['eventemitter3']);
    }
  });

  /** Compiles the files with a file of mistakes. */
  async function expectMistakesOnly(
    project: Omit<Project, 'files'>,
    files: Project['files'],
    mistakes: string,
  ): Promise<void> {
    const text = read(mistakes);
    const wrong = { ...files, [mistakes]: text.replaceAll('@ts-expect-error', 'wrong:') };
    expect(await packed.compile({ ...project, files: wrong })).to.have.members(expectationsOf(mistakes, text));
  }
});

function read(file: string): string {
  return readFileSync(`test/types/consumers/${file}`, 'utf8');
}

/** A file that imports everything that the entries declare. */
function importing(entries: readonly string[]): Project['files'] {
  const lines = entries.map((entry, index) => `export * as entry${index} from '${entry}';\n`);
  return { 'entries.ts': lines.join('') };
}

/** The expected complaint about each line below an expectation. */
function expectationsOf(file: string, text: string): string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const [, code] = /^\/\/ @ts-expect-error (TS\d+): /.exec(line) ?? [];
    return code === undefined ? [] : [`${file}:${index + 2} ${code}`];
  });
}

/** The declarations that the conditions of `exports` name. */
function typesOf(exports: unknown): string[] {
  if (typeof exports !== 'object' || exports === null) return [];
  return Object.entries(exports).flatMap(([condition, target]) =>
    condition === 'types' ? [normalize(String(target))] : typesOf(target),
  );
}

/** The packages that a file of declarations, and those that it refers to, name. */
function namesIn(root: string, entry: string): string[] {
  const names = new Set<string>();
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(join(root, file), 'utf8');
    const pattern = /(?:from|import|import\(|require\(|reference types=|reference path=)\s*['"]([^'"]+)['"]/g;
    for (const [, name] of text.matchAll(pattern) as Iterable<[string, string]>) {
      if (name.startsWith('.')) visit(join(dirname(file), name.replace(/\.[jt]s$/, '.d.ts')));
      else names.add(name);
    }
  };
  visit(entry);
  return [...names];
}
