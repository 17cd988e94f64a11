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

  it('refuses settings with which the server does not start', async () => {
    const file = join(directory, 'file');
    writeFileSync(file, 'no certificate');
    const cluster = { etcd: ['https://127.0.0.1:1'], advertise: '127.0.0.1:20934' };
    const cases: readonly [object, string][] = [
      [{ http: { allowed: ['nonsense'] } }, 'settings.http.allowed: "nonsense" is no address'],
      [{ http: { hosts: ['a b'] } }, 'settings.http.hosts[0]: "a b" is no host name'],
      [{ history: { directory: file } }, `settings.history.directory is "${file}": it is no directory`],
      [{ cluster: { ...cluster, tls: { ca: join(directory, 'missing') } } }, 'settings.cluster.tls.ca: ENOENT'],
      [{ cluster: { ...cluster, tls: { cert: file, key: file } } }, 'the certificate or key for etcd'],
    ];
    for (const [settings, message] of cases) {
      const { code, output } = await check(settings);
      expect(output).to.contain(message);
      expect(code, message).to.equal(1);
    }
  });

  it('calls settings good whose directories the server will make', async () => {
    const settings = { stateDirectory: join(directory, 'a', 'state'), history: { directory: join(directory, 'b') } };
    expect(await check(settings)).to.include({ code: 0 });
  });
});
