import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SystemProgram } from '../../foreign/system-program.ts';

const SCRIPT = join('bin', 'holdfast.js');

describe('holdfast check', () => {
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-check-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  /** Runs `holdfast check` with a file of these settings. */
  async function check(settings: object): Promise<{ readonly code: number | null; readonly output: string }> {
    const file = join(directory, 'settings.json');
    writeFileSync(file, JSON.stringify(settings));
    const program = new SystemProgram(process.execPath, [SCRIPT, 'check', '--config', file], process.env);
    const { code } = await program.exit;
    return { code, output: program.output };
  }

  it('tells what keeps a server from starting', async () => {
    const { code, output } = await check({ http: { allowed: ['x'] }, stateDirectory: join(directory, 'a', 'state') });
    expect(output).to.match(
      /^\S+: settings\.http\.allowed: "x" is no address; .*\n\S+: settings\.stateDirectory is .*ENOENT.*\n$/,
    );
    expect(code).to.equal(1);
  });

  it('calls settings good with which it starts', async () => {
    const settings = {
      stateDirectory: join(directory, 'state'),
      history: { directory: join(directory, 'b', 'history') },
    };
    expect(await check(settings)).to.deep.equal({ code: 0, output: `${join(directory, 'settings.json')}: ok\n` });
  });
});
