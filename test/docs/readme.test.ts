import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { LockServer } from '../../lib/server/lock-server.ts';
import { tcp } from '../../lib/transports/tcp.ts';

const run = promisify(execFile);
const readme = readFileSync('README.md', 'utf8');
/** Within the package, so that the examples import it by its name. */
const FOLDER = 'dist/readme';

/** What each TypeScript example of the README prints, in their order. */
const PRINTED = [/^42 0\n$/, /^holding jobs under token \d{16}\n$/, /^ok \d{16}\n$/, /^hello\n$/];

describe('README.md', () => {
  const examples = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code as string);
  let server: LockServer;

  before(async function () {
    this.timeout(60_000);
    server = new LockServer();
    const address = await server.listen(tcp({ host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] }));
    const port = address.split(':').at(-1) as string;
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    for (const [index, code] of examples.entries()) {
      writeFileSync(`${FOLDER}/example-${index}.ts`, code.replaceAll('20934', port));
    }
    const options = { outDir: '.', rootDir: '.', declaration: false, isolatedDeclarations: false, sourceMap: false };
    const config = { extends: '../../tsconfig.json', compilerOptions: options, include: ['*.ts'], exclude: [] };
    writeFileSync(`${FOLDER}/tsconfig.json`, JSON.stringify(config));
    await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', FOLDER]).catch(({ stdout }) =>
      expect.fail(stdout),
    );
  });

  after(async () => {
    rmSync(FOLDER, { recursive: true, force: true });
    await server.close();
  });

  for (const [index, expected] of PRINTED.entries()) {
    it(`has TypeScript that compiles and works: example ${index + 1}`, async () => {
      const { stdout, stderr } = await run(process.execPath, [`${FOLDER}/example-${index}.js`]);
      expect(stdout).to.match(expected);
      expect(stderr).to.equal('');
    });
  }

  it('has no TypeScript beyond those examples', () => {
    expect(examples).to.have.length(PRINTED.length);
  });

  it('names each setting with its default', () => {
    const settings = JSON.parse(readFileSync('config/settings.json', 'utf8'));
    for (const name of Object.keys(settings)) expect(readme).to.match(new RegExp(`^\\| .*\`${name}\``, 'm'));
    expect(readme).to.include(JSON.stringify(settings.allowed).replace(',', ', '));
    expect(readme).to.include(`\`${settings.host}\`, \`${settings.port}\``);
  });

  it('names each exit code', () => {
    for (const code of Object.values(EXIT_CODES)) expect(readme).to.match(new RegExp(`^\\| ${code} \\|`, 'm'));
  });

  it('links to files that are there', () => {
    for (const file of ['README.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'docs/protocol.md']) {
      const folder = file.includes('/') ? 'docs/' : '';
      for (const [, target] of readFileSync(file, 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
        expect(() => readFileSync(`${folder}${target}`), `${target} in ${file}`).to.not.throw(/ENOENT/);
      }
    }
  });
});
