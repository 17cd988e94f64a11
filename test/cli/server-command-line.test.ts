import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { InvalidArgumentError } from 'commander';
import { parsePort } from '../../lib/cli/arguments.ts';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { readServerArguments, serverStartLine } from '../../lib/cli/server.ts';
import { limitReached } from '../server/answers.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { startProgram, startServerProgram } from '../server/running-program.ts';
import { openPlanned } from './planned-server.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const DEFAULTS = JSON.parse(readFileSync(join(ROOT, 'config/settings.json'), 'utf8')) as Record<string, unknown>;
const { version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

describe('the command line of the server program', () => {
  const folder = folderForEachTest();

  it('prints the version', async () => {
    expect(await run('--version')).to.deep.equal({ code: EXIT_CODES.ok, output: `${VERSION}\n`, errorOutput: '' });
  });

  it('prints help that names every option', async () => {
    const { code, output, errorOutput } = await run('--help');
    expect([code, errorOutput]).to.deep.equal([EXIT_CODES.ok, '']);
    expect(output).to.match(/^Usage: server \[options\]\n/);
    const options = ['--config <file>', '--host <address>', '--port <number>', '--allow <address...>', '--verbose'];
    for (const option of [...options, '--print-settings', '--version', '--help']) expect(output).to.include(option);
  });

  it('has the settings as shipped without options', () => {
    expect(readServerArguments([])).to.deep.equal(DEFAULTS);
  });

  it('prints with --print-settings the settings of the file and the command line, which are settings again', async () => {
    const file = folder.writeSettings({ port: 1, drainSeconds: 2, limits: { maxLocks: 3 }, verbose: false });
    const args = ['--host', '::1', '--port', '7', '--allow', '::1', '10.0.0.0/8', '--verbose'];
    const { code, output, errorOutput } = await run('--config', file, ...args, '--print-settings');
    expect([code, errorOutput]).to.deep.equal([EXIT_CODES.ok, '']);
    const printed: unknown = JSON.parse(output);
    expect(printed).to.deep.equal({
      ...DEFAULTS,
      host: '::1',
      port: 7,
      allowed: ['::1', '10.0.0.0/8'],
      verbose: true,
      drainSeconds: 2,
      limits: { ...(DEFAULTS.limits as object), maxLocks: 3 },
    });
    writeFileSync(file, output);
    expect(readServerArguments(['--config', file])).to.deep.equal(printed);
  });

  it('takes the settings of --config', async () => {
    const limits = { maxNameBytes: 3, maxTableBytes: 1 };
    const file = folder.writeSettings({ port: 'auto', allowed: ['127.0.0.2'], limits });
    const { port, startLine } = await startServerProgram('--config', file);
    expect(startLine).to.match(/, allowed: 127\.0\.0\.2$/);
    const client = await RawClient.connect(port, { localAddress: '127.0.0.2' });
    expect(await client.ask('lock', { lockName: 'jobs' })).to.deep.equal(limitReached('maxNameBytes', 3));
    await client.take('job');
    expect(await client.ask('lock', { lockName: 'new' })).to.deep.equal(limitReached('maxTableBytes', 1));
  });

  it('can allow no address at all', async () => {
    const settings = readServerArguments(['--config', folder.writeSettings({ port: 'auto', allowed: [] })]);
    expect(serverStartLine(['a', 'b'], settings)).to.equal(`holdfast ${VERSION} listens on a, b, allowed: nobody`);
    const { ports } = await openPlanned(settings);
    await (await RawClient.connect(ports[0] as number)).closed;
  });

  describe('is refused with its own code', () => {
    it('when an option or an argument is unknown, lacks its value or has a wrong one', async () => {
      const complaint = 'Expected a whole number from 0 to 65535, or auto.';
      for (const port of ['65536', '-1', '1.5', 'http', ' 1', '0x10', '1e3']) {
        expect(() => parsePort(port), port).to.throw(InvalidArgumentError, complaint);
      }
      await Promise.all([
        isRefused(['--nonsense'], /unknown option '--nonsense'/),
        isRefused(['start'], /too many arguments/),
        isRefused(['--allow'], /argument missing/),
        isRefused(['--port=65536'], /Expected a whole number from 0 to 65535, or auto\./),
      ]);
    });

    it('when a setting is wrong, with the file, the setting and the expected value', async () => {
      const file = folder.writeSettings({ limits: { maxLocks: 0 } });
      const complaint = 'settings.limits.maxLocks is 0; expected a whole number from 1 to 2147483647';
      expect(await run('--config', file)).to.deep.equal({
        code: EXIT_CODES.usage,
        output: '',
        errorOutput: `holdfast: ${file}: ${complaint}\n`,
      });
    });

    it('which is 2', () => {
      expect(EXIT_CODES.usage).to.equal(2);
      expect(EXIT_CODES.ok).to.equal(0);
    });
  });

  async function run(...args: readonly string[]) {
    const program = startProgram('bin/server.js', ...args);
    const { code } = await program.exit;
    return { code, output: program.output, errorOutput: program.errorOutput };
  }

  async function isRefused(args: readonly string[], complaint: RegExp): Promise<void> {
    const { code, output, errorOutput } = await run(...args);
    expect([code, output], args.join(' ')).to.deep.equal([EXIT_CODES.usage, '']);
    expect(errorOutput).to.match(complaint);
  }
});
