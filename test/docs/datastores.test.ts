import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as datastores from '../../lib/datastores/index.ts';
import { startMemcached, startRedis } from '../datastores/real-stores.ts';
import { needs } from '../foreign/system-program.ts';
import { startServer } from '../server/running-server.ts';
import { describeExamples } from './compiled-examples.ts';

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
  describeExamples('dist/datastores', { 'docs/datastores.md': PRINTED }, async (context) => {
    needs(context, 'redis-server', 'memcached');
    const [holdfast, redis, memcached] = [await startServer(), await startRedis(), await startMemcached()];
    return { 20934: holdfast.port, 6379: redis.port, 11211: memcached.port };
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
