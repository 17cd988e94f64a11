import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { findStartFailures } from '../../lib/cli/check-settings.ts';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { completeSettings } from '../../lib/cli/settings.ts';
import { openFileLedger } from '../../lib/ledger/file-ledger.ts';
import { makeCertificates } from '../foreign/certificates.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { startProgram } from '../server/running-program.ts';

describe('a check of settings', () => {
  const folder = folderForEachTest();

  /** What is wrong, with the exit codes. */
  async function check(settings: object): Promise<(readonly [number, string])[]> {
    const failures = await findStartFailures(completeSettings({ ...settings }, 'test'));
    return failures.map(({ exitCode, message }) => [exitCode, message]);
  }

  it('finds what keeps a server from starting, with the exit code of the start', async () => {
    const file = folder.at('file');
    writeFileSync(file, '');
    const none = folder.at('none/x');
    const { usage, cannotListen, pidfile, stateDirectory, cluster } = EXIT_CODES;
    const etcd = { etcd: ['https://127.0.0.1:1'], advertise: '127.0.0.1:1' };
    const tls = { cert: none, key: none };
    const cases: readonly [settings: object, exitCode: number, message: string][] = [
      [{ host: 'a b' }, usage, 'settings.host is "a b"; expected an address or a host name'],
      [{ http: { host: '1.2.3.4/8' } }, usage, 'settings.http.host is "1.2.3.4/8"; expected an address or a host name'],
      [{ allowed: ['x'] }, usage, 'settings.allowed[0]: "x" is no address'],
      [{ tls }, usage, `settings: tls.cert is ${none}; expected a file that can be read`],
      [{ http: { hosts: ['a/b'] } }, usage, 'settings.http.hosts[0]: "a/b" is no host name'],
      [{ listeners: [{ transport: 'unix', path: none }] }, cannotListen, `the folder ${folder.at('none')} of the Unix`],
      [{ pidfile: folder.path }, pidfile, `${folder.path}: it is no regular file`],
      [{ pidfile: none }, pidfile, `settings.pidfile is "${none}": ENOENT`],
      [{ history: { directory: file } }, usage, `settings.history.directory is "${file}": it is no directory`],
      [{ stateDirectory: file }, stateDirectory, `settings.stateDirectory is "${file}": it is no directory`],
      [{ stateDirectory: none }, stateDirectory, `settings.stateDirectory is "${none}": ENOENT`],
      [{ cluster: { ...etcd, tls: { ca: none } } }, usage, 'settings.cluster.tls.ca: ENOENT'],
      [{ cluster: { ...etcd, tls: { cert: file, key: file } } }, cluster, 'the certificate or key for etcd'],
      [{ user: 'nosuchuser', group: 'nosuchgroup' }, usage, 'settings.group is "nosuchgroup": '],
    ];
    for (const [settings, exitCode, message] of cases) {
      const [found, ...others] = await check(settings);
      expect(found?.[0], message).to.equal(exitCode);
      expect(found?.[1]).to.include(message);
      expect(others).to.deep.equal([]);
    }
  });

  it('finds each thing that is wrong, and nothing where all is right', async () => {
    expect(await check({ allowed: ['x'], pidfile: folder.at('none/x') })).to.have.lengthOf(2);
    const { server } = makeCertificates();
    const directories = { stateDirectory: folder.at('state'), history: { directory: folder.at('a/history') } };
    const listeners = [{ transport: 'unix', path: folder.at('lock.sock') }];
    const good = {
      ...directories,
      listeners,
      pidfile: folder.at('pid'),
      tls: { cert: server.certFile, key: server.keyFile },
    };
    expect(await check(good)).to.deep.equal([]);
    expect(readdirSync(folder.path)).to.deep.equal([]);
  });

  it('reads the files of a state directory that a server uses, and changes none', async () => {
    const directory = folder.at('state');
    const report = { tell: () => {}, fail: (error: Error) => expect.fail(error.message) };
    const ledger = await openFileLedger({ directory, nowMs: Date.now(), report });
    const contents = () => readdirSync(directory).map((name) => [name, readFileSync(`${directory}/${name}`, 'utf8')]);
    const before = contents();
    expect(await check({ stateDirectory: directory })).to.deep.equal([]);
    expect(contents()).to.deep.equal(before);
    await ledger.close();
    writeFileSync(folder.at('state/tokens'), 'nonsense\n');
    const [[exitCode, message] = []] = await check({ stateDirectory: directory });
    expect(exitCode).to.equal(EXIT_CODES.stateDirectory);
    expect(message).to.include(folder.at('state/tokens'));
  });

  it('reads what a node of a cluster remembers of etcd', async () => {
    mkdirSync(folder.at('state'));
    writeFileSync(folder.at('state/etcd'), '{}');
    const cluster = { etcd: ['http://127.0.0.1:1'], advertise: '127.0.0.1:1' };
    const [[exitCode, message] = []] = await check({ stateDirectory: folder.at('state'), cluster });
    expect([exitCode, message]).to.deep.equal([
      EXIT_CODES.cluster,
      `${folder.at('state/etcd')} is damaged: expected the clusterId, the revision and the token of etcd; remove it if etcd was not set back`,
    ]);
  });

  it('is the option --check of the server, which names the file, and starts nothing', async () => {
    const file = folder.writeSettings({ allowed: ['x'], pidfile: folder.at('none/x') });
    const bad = startProgram('bin/server.js', '--config', file, '--check');
    const good = startProgram('bin/server.js', '--config', file, '--allow', '::1', '--pidfile', '', '--check');
    expect(await bad.exit).to.deep.equal({ code: EXIT_CODES.usage, signal: null });
    expect(bad.errorOutput).to.match(
      /^holdfast: \S+settings\.json: settings\.allowed\[0\]: "x" is no .*\nholdfast: \S+: settings\.pidfile is .*\n$/,
    );
    expect(await good.exit).to.deep.equal({ code: EXIT_CODES.ok, signal: null });
    expect([good.output, good.errorOutput]).to.deep.equal([`${file} with the command line: ok\n`, '']);
  });
});
