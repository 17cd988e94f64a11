import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { HOLDFAST_CODES } from '../../lib/cli/holdfast/exit-codes.ts';
import { makeProgram } from '../../lib/cli/holdfast/program.ts';
import type { LockClient } from '../../lib/client/lock-client.ts';
import { LockHistory } from '../../lib/history/lock-history.ts';
import { MemoryLedger } from '../../lib/ledger/memory-ledger.ts';
import { SystemProgram } from '../foreign/system-program.ts';
import { endTest, makeFolder } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';

/** What a person types, and what the program prints. */
interface Example {
  readonly line: string;
  readonly expected: string;
}

/** The examples of a document: consecutive ones of a block share a scene. */
function examplesOf(document: string): readonly (readonly Example[])[] {
  const blocks = [...document.matchAll(/```console\n([\s\S]*?)```/g)].map(([, block]) => block as string);
  return blocks.map((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        // A command may go on behind `> `, as in a shell.
        const [, line = '', expected = ''] = /^(.*(?:\n> .*)*)\n([\s\S]*)$/.exec(text) ?? [];
        return { line: line.replaceAll('\n> ', '\n'), expected };
      }),
  );
}

/** Times, ports, tokens and widths differ from run to run. */
function withoutNumbers(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\d /g, '')
    .replace(/\d+:\d\d:\d\d/g, 'TIME')
    .replace(/\d+(\.\d+)? ?(ms|s|min|h)\b/g, 'TIME')
    .replace(/TIME TIME/g, 'TIME')
    .replace(/@[\w.-]+:\d+/g, '@HOST')
    .replace(/127\.0\.0\.1:\d+/g, 'ADDRESS')
    .replace(/\b\d{5,}\b/g, 'NUMBER')
    .replace(/ +/g, ' ')
    .trim();
}

/** Programs that the examples run. */
const PROGRAMS = {
  holdfast: `exec ${process.execPath} ${resolve('bin/holdfast.js')} "$@"`,
  'backup.sh': 'echo "saved $1"',
  import: 'echo imported',
};

/** backup@web3 holds nightly-backup; report@web4 waits for it and holds index; import@web5 waits for index. */
async function setScene(server: RunningServer): Promise<void> {
  const name = async (client: LockClient, text: string): Promise<LockClient> => {
    await client.identify(text);
    return client;
  };
  const backup = await name(await server.client(), 'backup@web3');
  const report = await name(await server.client(), 'report@web4');
  const importer = await name(await server.client(), 'import@web5');
  await backup.lock('nightly-backup');
  // The examples sort by age.
  await until(async () => ((await backup.inspect('nightly-backup')).holders[0]?.heldMs ?? 0) > 1);
  await report.lock('index');
  const waits = [report.lock('nightly-backup'), importer.lock('index', { mode: 'shared' })];
  for (const wait of waits) wait.catch(() => {});
  await until(async () => (await backup.stats()).waiting === 2);
}

for (const file of ['docs/cli.md', 'docs/runbook.md']) {
  describe(file, () => {
    const document = readFileSync(file, 'utf8');
    let environment: NodeJS.ProcessEnv;

    beforeEach(async () => {
      const history = new LockHistory();
      // With tokens as long as those of a real server.
      const ledger = new MemoryLedger(1_763_650_000_000_000);
      const server = await startServer({}, undefined, { forceUnlock: true, history, observers: [history], ledger });
      await setScene(server);
      const folder = makeFolder();
      for (const [name, text] of Object.entries(PROGRAMS)) {
        writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
        chmodSync(join(folder, name), 0o755);
      }
      const PATH = `${folder}:${process.env.PATH}`;
      environment = { HOLDFAST_SERVER: `127.0.0.1:${server.port}`, PATH, SHELL: '/bin/sh' };
    });
    afterEach(endTest);

    for (const [index, examples] of examplesOf(document).entries()) {
      it(`shows what the program prints, example ${index + 1}: ${examples[0]?.line.replaceAll('\n', ' ')}`, async () => {
        for (const { line, expected } of examples) {
          const program = new SystemProgram('sh', ['-c', `{ ${line}\n} 2>&1`], environment);
          await program.exit;
          expect(withoutNumbers(program.output), line).to.equal(withoutNumbers(expected));
        }
      });
    }
  });
}

describe('docs/cli.md', () => {
  const document = readFileSync('docs/cli.md', 'utf8');
  const commands = makeProgram(() => {}).commands;

  it('has a section with an example for each command, and names each of its options', () => {
    for (const command of commands) {
      const [, section = ''] = document.split(`\n### ${command.name()}\n`);
      const [text = ''] = section.split(/\n##/);
      expect(text, command.name()).to.include('```console\n');
      const own = command.options.filter(({ long }) => !/^--(server|tls.*|json)$/.test(long ?? ''));
      for (const { long } of own) expect(text, command.name()).to.include(`\`${long}`);
    }
  });

  it('has the same commands and options as the man page', () => {
    const page = readFileSync('man/holdfast.1', 'utf8').replaceAll('\\-', '-');
    expect([...page.matchAll(/^\.SS (\w+)/gm)].map(([, name]) => name)).to.deep.equal(
      commands.map((each) => each.name()),
    );
    for (const { long } of commands.flatMap(({ options }) => options)) {
      expect(page, long).to.match(new RegExp(`^\\.B .*${long}\\b`, 'm'));
    }
  });

  it('has each exit code', () => {
    for (const code of Object.values(HOLDFAST_CODES)) expect(document).to.match(new RegExp(`^\\| ${code} \\|`, 'm'));
  });
});
