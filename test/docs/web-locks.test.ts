import { readFileSync } from 'node:fs';
import { describeExamples, type Printed } from './compiled-examples.ts';

/** What each TypeScript example prints, in their order. */
const PRINTED: Printed = [
  ['requests', /^invoices exclusive\n42\n$/],
  ['options', /^\[ 'reader 1', 'reader 2' \]\nnot available\n$/],
  ['signals', /^TimeoutError\n$/],
  ['steal', /^(AbortError stolen\nmine now|mine now\nAbortError stolen)\n$/],
  ['query', /^held invoices exclusive true\npending invoices shared\n$/],
];

describe('docs/web-locks.md', () => {
  describeExamples('dist/web-locks-md', readFileSync('docs/web-locks.md', 'utf8'), PRINTED);
});
