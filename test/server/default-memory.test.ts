import { execFileSync } from 'node:child_process';
import { expect } from 'chai';

const MODULE = new URL('../../lib/server/default-memory.js', import.meta.url).href;
const PROGRAM = `import { defaultBytes } from ${JSON.stringify(MODULE)}; console.log(defaultBytes('table'), defaultBytes('output'));`;
const MIB = 1_048_576;

describe('the memory that a server may use by default', () => {
  for (const heapMib of [64, 256, 1_024]) {
    it(`is about half of a heap of ${heapMib} MiB for the lock table, and an eighth for unread answers`, () => {
      const flags = [`--max-old-space-size=${heapMib}`, '--input-type=module', '-e', PROGRAM];
      const [table = 0, output = 0] = execFileSync(process.execPath, flags, { encoding: 'utf8' })
        .split(' ')
        .map(Number);
      expect(table / (heapMib * MIB)).to.be.within(0.4, 0.6);
      expect(output / (heapMib * MIB)).to.be.within(0.1, 0.15);
    });
  }
});
