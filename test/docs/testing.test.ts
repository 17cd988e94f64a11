import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { compileFiles } from './compiled-examples.ts';

const run = promisify(execFile);
/** Within the package, so that the examples import it by its name. */
const FOLDER = 'dist/testing-document';

describe('docs/testing.md', () => {
  const page = readFileSync('docs/testing.md', 'utf8');
  const examples = [...page.matchAll(/^```ts(?: file=(\S+))?\n([\s\S]*?)^```$/gm)];

  before(async function () {
    this.timeout(60_000);
    await compileFiles(
      FOLDER,
      examples.map(([, file = 'example.ts', code = '']) => [file, code]),
    );
  });

  after(() => rmSync(FOLDER, { recursive: true, force: true }));

  it('has a test that compiles and passes', async () => {
    const { stdout } = await run(process.execPath, [
      '--test',
      '--test-reporter=tap',
      `${FOLDER}/nightly-report.test.js`,
    ]);
    expect(stdout)
      .to.match(/^# pass 5$/m)
      .and.to.match(/^# fail 0$/m);
  });

  it('has an example that compiles and works', async () => {
    const { stdout, stderr } = await run(process.execPath, [`${FOLDER}/example.js`]);
    expect([stdout, stderr]).to.deep.equal(['1\n', '']);
  });

  it('has no TypeScript beyond those', () => {
    expect(examples).to.have.length(3);
  });
});
