import { readFileSync } from 'node:fs';
import { describeExamples } from './compiled-examples.ts';

describe('docs/message-server.md', () => {
  describeExamples('dist/message-server-md', readFileSync('docs/message-server.md', 'utf8'), [/^hello\n$/]);
});
