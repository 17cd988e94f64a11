import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as datastores from '../../lib/datastores/index.ts';
import { startMemcached, startRedis } from '../datastores/real-stores.ts';
import { needs } from '../foreign/system-program.ts';
import { endTest } from '../server/clean-up.ts';
import { startServer } from '../server/running-server.ts';
import { CompiledExamples, readExamples } from './compiled-examples.ts';

const document = readFileSync('docs/datastores.md', 'utf8');

/** What each example prints, in their order. */
const PRINTED = [
  /^working\n42\nCould not acquire lock\n$/,
  /^42\n$/,
  /^42\n$/,
  /^42\n$/,
  /^true false false true\n$/,
  /^\[ 'job 7 is done', 'job 7 was done by another' \]\n$/,
];

describe('docs/datastores.md', () => {
  const examples = readExamples(document);
  let compiled: CompiledExamples;

  before(async function () {
    this.timeout(60_000);
    needs(this, 'redis-server', 'memcached');
    const [holdfast, redis, memcached] = [await startServer(), await startRedis(), await startMemcached()];
    const ports = { 20934: holdfast.port, 6379: redis.port, 11211: memcached.port };
    compiled = await CompiledExamples.compile('dist/datastores', examples, ports);
  });
  after(async () => {
    compiled?.remove();
    await endTest();
  });

  for (const [index, expected] of PRINTED.entries()) {
    it(`has TypeScript that compiles and works: example ${index + 1}`, () => compiled.expectOutput(index, expected));
  }

  it('has no TypeScript beyond those examples', () => {
    expect(examples).to.have.length(PRINTED.length);
  });

  it('names all that the entry point exports', () => {
    for (const name of Object.keys(datastores)) expect(document).to.include(`${name}`);
  });

  it('names each method of a lock', () => {
    for (const name of Object.getOwnPropertyNames(datastores.Lock.prototype)) {
      if (name !== 'constructor') expect(document).to.match(new RegExp(`^\\| .*\`${name}\\(`, 'm'));
    }
  });
});
