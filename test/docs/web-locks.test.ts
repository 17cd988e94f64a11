import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { LockServer } from '../../lib/server/lock-server.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { CompiledExamples, readExamples } from './compiled-examples.ts';

/** What each TypeScript example prints, in their order. */
const PRINTED: readonly (readonly [string, RegExp])[] = [
  ['requests', /^invoices exclusive\n42\n$/],
  ['options', /^\[ 'reader 1', 'reader 2' \]\nnot available\n$/],
  ['signals', /^TimeoutError\n$/],
  ['steal', /^(AbortError stolen\nmine now|mine now\nAbortError stolen)\n$/],
  ['query', /^held invoices exclusive true\npending invoices shared\n$/],
];

describe('docs/web-locks.md', () => {
  const examples = readExamples(readFileSync('docs/web-locks.md', 'utf8'));
  let compiled: CompiledExamples;
  let server: LockServer;

  before(async function () {
    this.timeout(60_000);
    server = new LockServer({ logger: new RecordingLogger() });
    const address = await server.listen(tcp({ host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] }));
    compiled = await CompiledExamples.compile('dist/web-locks-md', examples, {
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

  it('has no TypeScript beyond that', () => {
    expect(examples).to.have.length(PRINTED.length);
  });
});
