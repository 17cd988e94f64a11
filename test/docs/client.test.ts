import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as holdfast from '../../lib/index.ts';
import { describeExamples, type Printed } from './compiled-examples.ts';

const document = readFileSync('docs/client.md', 'utf8');

/** What each TypeScript example prints, in their order. */
const PRINTED: Printed = [
  ['connecting', /^connected\nidle\nconnected\n$/],
  ['handles', /^jobs exclusive 1 true\ntrue true\n42 \{ ran: true, value: 'ran it' \}\n$/],
  ['modes', /^2 null\n\[ 1, 2, 'full' \]\n$/],
  ['several locks at once', /^2 account ann, account bob\n$/],
  ['deadlocks', /^\[ 'account ann, holder', 'account bob, holder' \]\ntrue true\n$/],
  ['leases', /^true\n$/],
  ['sessions', /^still held: true\n$/],
  ['events', /^lost jobs lease\n$/],
  ['why do I wait', /^import@web3\n\[ 'import@web3 exclusive true' \] 0\njobs 1\n$/],
  ['leader election', /^leading true\n$/],
  ['at most N at once', /^at most 5 at once\n$/],
  ['readers and a writer', /^\[ 'new', 'new' \] new\n$/],
  ['two locks at once', /^\{ ann: 80, bob: 120 \}\n$/],
  ['from navigator.locks', /^shared\n$/],
  ['from Redis locks', /^paid under its token\n$/],
  ['from flock', /^backed up\n$/],
];

describe('docs/client.md', () => {
  describeExamples('dist/client-md', document, PRINTED);

  it('has the programs of the files that it names', () => {
    const programs = [...document.matchAll(/^```ts file=(.*)\n([\s\S]*?)^```$/gm)];
    expect(programs.length + PRINTED.length).to.equal([...document.matchAll(/^```ts/gm)].length);
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
