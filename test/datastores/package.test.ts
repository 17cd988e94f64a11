import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';

describe('holdfast/datastores', () => {
  it('is an entry point of the package', async () => {
    const names = ['HoldfastDatastore', 'Lock', 'LockNotAcquiredError', 'MemcachedDatastore', 'MemoryDatastore'];
    expect(Object.keys(await import('holdfast/datastores'))).to.have.members([...names, 'RedisDatastore']);
  });

  it('needs neither redis nor memjs, nor their types', () => {
    const files = readdirSync('dist/lib/datastores').filter((file) => /\.(js|d\.ts)$/.test(file));
    expect(files).to.include.members(['index.js', 'index.d.ts']);
    for (const file of files) {
      const text = readFileSync(`dist/lib/datastores/${file}`, 'utf8');
      for (const [, imported] of text.matchAll(/(?:from|import|require)\s*\(?\s*['"]([^'"]+)['"]/g)) {
        expect(imported, file).to.match(/^(\.|node:)/);
      }
    }
  });
});
