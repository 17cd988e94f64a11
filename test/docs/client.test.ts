import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as holdfast from '../../lib/index.ts';
import { readExamples } from './compiled-examples.ts';

const document = readFileSync('docs/client.md', 'utf8');

describe('docs/client.md', () => {
  it('has the programs of the files that it names', () => {
    const programs = [...document.matchAll(/^```ts file=(.*)\n([\s\S]*?)^```$/gm)];
    expect(programs.length + readExamples(document).length).to.equal([...document.matchAll(/^```ts/gm)].length);
    for (const [, file, code] of programs) expect(code, file).to.equal(readFileSync(file as string, 'utf8'));
  });

  it('names each class of errors with its code', () => {
    const text = 'anything';
    const errors = [
      new holdfast.LockTimeoutError(text),
      new holdfast.LockUnreachableError(text, new Error(text)),
      new holdfast.LockCancelledError(text),
      new holdfast.LockDeadlockError(text, []),
      new holdfast.LockInvalidError(text),
      new holdfast.LockLimitError(text, 'maxLocks', 1),
      new holdfast.LockDeniedError(text),
      new holdfast.LockDrainingError(text),
      new holdfast.LockClosedError(),
      new holdfast.LockLostError('connectionLost', 'jobs'),
      new holdfast.LockError('protocol', text),
    ];
    const classes = Object.keys(holdfast).filter((name) => /^Lock.*Error$/.test(name));
    expect(errors.map(({ name }) => name)).to.have.members(classes);
    for (const { name, code } of errors)
      expect(document).to.match(new RegExp(`^\\| \`${name}\` \\| .*\`${code}\``, 'm'));
  });
});
