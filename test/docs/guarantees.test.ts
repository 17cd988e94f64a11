import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

const document = readFileSync('docs/guarantees.md', 'utf8');

/** The names of all tests, and all comments of the code. */
function textOf(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  return files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
}

describe('docs/guarantees.md', () => {
  const rules = [...document.matchAll(/^- ([SL]\d)\./gm)].map(([, rule]) => rule as string);

  it('has each rule of sessions and of the state directory once', () => {
    expect(rules).to.deep.equal(['S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7', 'L1', 'L2', 'L3', 'L4', 'L5']);
  });

  it('names rules that the code names where it follows them, each with a test', () => {
    const [code, tests] = [textOf('lib'), textOf('test')];
    for (const rule of rules) {
      expect(code, rule).to.match(new RegExp(`\\b${rule}\\b`));
      expect(tests, rule).to.match(new RegExp(`(it|describe)\\('${rule}\\b`));
    }
  });
});
