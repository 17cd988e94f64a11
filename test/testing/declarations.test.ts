import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';

/** The declarations that a file leads to, and the packages that they name. */
function readDeclarations(file: string, seen: Set<string>, packages: Set<string>): void {
  if (seen.has(file)) return;
  seen.add(file);
  for (const [, target = ''] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*['"]([^'"]+)['"]/g)) {
    if (!target.startsWith('.')) packages.add(target);
    else readDeclarations(join(dirname(file), target.replace(/\.[jt]s$/, '.d.ts')), seen, packages);
  }
}

describe('holdfast/testing', () => {
  it('has declarations that name only the package for events', () => {
    const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      readonly exports: Readonly<Record<string, { readonly types: string }>>;
    };
    const seen = new Set<string>();
    const packages = new Set<string>();
    readDeclarations(exports['./testing']?.types ?? '', seen, packages);
    expect(seen.size).to.be.greaterThan(10);
    expect([...packages].filter((name) => !name.startsWith('node:'))).to.deep.equal(['eventemitter3']);
  });

  it('exports what its document describes', async () => {
    const name = 'holdfast/testing';
    expect(Object.keys(await import(name))).to.have.members(['TestServer', 'startTestServer']);
  });
});
