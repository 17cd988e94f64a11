import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from 'chai';

const run = promisify(execFile);
/** Within the package, so that the examples import it by its name. */
const FOLDER = 'dist/testing-document';

describe('docs/testing.md', () => {
  const page = readFileSync('docs/testing.md', 'utf8');
  const examples = [...page.matchAll(/^```ts(?: file=(\S+))?\n([\s\S]*?)^```$/gm)];

  before(async function () {
    this.timeout(60_000);
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    for (const [, file = 'example.ts', code = ''] of examples) writeFileSync(`${FOLDER}/${file}`, code);
    const options = { outDir: '.', rootDir: '.', declaration: false, isolatedDeclarations: false, sourceMap: false };
    const config = { extends: '../../tsconfig.json', compilerOptions: options, include: ['*.ts'], exclude: [] };
    writeFileSync(`${FOLDER}/tsconfig.json`, JSON.stringify(config));
    await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', FOLDER]).catch(({ stdout }) =>
      expect.fail(stdout),
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
