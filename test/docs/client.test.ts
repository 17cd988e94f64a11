import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as holdfast from '../../lib/index.ts';
import { LockServer } from '../../lib/server/lock-server.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { CompiledExamples, readExamples } from './compiled-examples.ts';

const document = readFileSync('docs/client.md', 'utf8');

/** What each TypeScript example prints, in their order. */
const PRINTED: readonly (readonly [string, RegExp])[] = [
  ['connecting', /^connected\nidle\nconnected\n$/],
  ['handles', /^jobs exclusive 1 true\ntrue true\n42 \{ ran: true, value: 'ran it' \}\n$/],
  ['modes', /^2 null\n\[ 1, 2, 'full' \]\n$/],
  ['several locks at once', /^2 account ann, account bob\n$/],
  ['deadlocks', /^\[ 'account ann, holder', 'account bob, holder' \]\ntrue true\n$/],
  ['leases', /^true\n$/],
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
  const examples = readExamples(document);
  let compiled: CompiledExamples;
  let server: LockServer;

  before(async function () {
    this.timeout(60_000);
    server = new LockServer();
    const address = await server.listen(tcp({ host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] }));
    compiled = await CompiledExamples.compile('dist/client-md', examples, {
      20934: Number(address.split(':').at(-1)),
    });
  });

  after(async () => {
    compiled?.remove();
    await server.close();
  });

  for (const [index, [title, expected]] of PRINTED.entries()) {
    it(`has TypeScript that compiles and works: ${title}`, () => compiled.expectOutput(index, expected));
  }

  it('has no TypeScript beyond those examples and the programs', () => {
    expect(examples).to.have.length(PRINTED.length);
    const programs = [...document.matchAll(/^```ts file=(.*)\n([\s\S]*?)^```$/gm)];
    expect(programs.length + examples.length).to.equal([...document.matchAll(/^```ts/gm)].length);
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
