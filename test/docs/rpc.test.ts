import { readFileSync } from 'node:fs';
import { describeExamples } from './compiled-examples.ts';

describe('docs/rpc.md', () => {
  describeExamples('dist/rpc-md', readFileSync('docs/rpc.md', 'utf8'), [/^ok \d{16}\n$/]);
});
