import { readFileSync } from 'node:fs';
import { describeExamples, type Printed } from './compiled-examples.ts';

/** What each TypeScript example of these documents prints, in their order. */
const PRINTED: Readonly<Record<string, Printed>> = {
  'message-server': [/^hello\n$/],
  rpc: [/^ok \d{16}\n$/],
  'web-locks': [
    ['requests', /^invoices exclusive\n42\n$/],
    ['options', /^\[ 'reader 1', 'reader 2' \]\nnot available\n$/],
    ['signals', /^TimeoutError\n$/],
    ['steal', /^(AbortError stolen\nmine now|mine now\nAbortError stolen)\n$/],
    ['query', /^held invoices exclusive true\npending invoices shared\n$/],
  ],
};

for (const [name, printed] of Object.entries(PRINTED)) {
  describe(`docs/${name}.md`, () => {
    describeExamples(`dist/${name}-md`, readFileSync(`docs/${name}.md`, 'utf8'), printed);
  });
}
