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

  it('has a time line for each row of what frees a lock', () => {
    const [, table = '', lines = ''] =
      /## What frees a lock\n([\s\S]*?)\n## [\s\S]*\n## Time lines\n([\s\S]*?)\n## /.exec(document) ?? [];
    const rows = table
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .slice(2);
    const sections = new Map(
      lines
        .split('\n### ')
        .slice(1)
        .map((section) => {
          const [heading = ''] = section.split('\n');
          return [heading.toLowerCase().replaceAll(' ', '-'), section];
        }),
    );
    const linked = rows.map((row) => [...row.matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor]) => anchor as string));
    expect(linked.filter((anchors) => anchors.length === 0)).to.deep.equal([]);
    expect(linked.flat()).to.have.members([...sections.keys()]);
    for (const [anchor, section] of sections) expect(section, anchor).to.match(/\n\| time \| .*\n(\|.*\n){3,}/);
  });

  it('names rules that the code names where it follows them, each with a test', () => {
    const [code, tests] = [textOf('lib'), textOf('test')];
    for (const rule of rules) {
      expect(code, rule).to.match(new RegExp(`\\b${rule}\\b`));
      expect(tests, rule).to.match(new RegExp(`(it|describe)\\('${rule}\\b`));
    }
  });
});
