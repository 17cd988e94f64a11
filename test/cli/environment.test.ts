import { expect } from 'chai';
import { readEnvironment } from '../../lib/cli/environment.ts';
import { parseCommandLine, readSettings } from '../../lib/cli/server-command-line.ts';
import { SettingsError } from '../../lib/cli/settings.ts';
import { SystemProgram } from '../foreign/system-program.ts';
import { folderForEachTest } from '../server/clean-up.ts';

/** Variables, and the settings that they are. */
const GIVEN: readonly [variable: string, text: string, path: string, value: unknown][] = [
  ['HOLDFAST_PORT', '7', 'port', 7],
  ['HOLDFAST_HTTP_PORT', 'auto', 'http.port', 'auto'],
  ['HOLDFAST_DRAIN_SECONDS', '1.5', 'drainSeconds', 1.5],
  ['HOLDFAST_DUMP', 'false', 'dump', false],
  ['HOLDFAST_PIDFILE', '', 'pidfile', ''],
  ['HOLDFAST_USER', '1000', 'user', '1000'],
  ['HOLDFAST_ALLOWED', '10.0.0.0/8, ::1', 'allowed', ['10.0.0.0/8', '::1']],
  ['HOLDFAST_ORIGINS', '', 'origins', []],
  ['HOLDFAST_LISTENERS', '[{"transport":"tcp","port":1}]', 'listeners', [{ transport: 'tcp', port: 1 }]],
  ['HOLDFAST_LIMITS_MAX_WAITERS_PER_LOCK', '3', 'limits.maxWaitersPerLock', 3],
  ['HOLDFAST_CLUSTER_TLS_CA', 'ca.pem', 'cluster.tls.ca', 'ca.pem'],
];

const WRONG: readonly [variable: string, text: string, complaint: string][] = [
  ['HOLDFAST_PORT', 'http', 'settings.port is "http"; expected a whole number from 0 to 65535, or "auto"'],
  ['HOLDFAST_PORT', '', 'settings.port is ""; expected a whole number from 0 to 65535, or "auto"'],
  ['HOLDFAST_DUMP', 'yes', 'settings.dump is "yes"; expected true or false'],
  ['HOLDFAST_LIMITS_MAX_LOCKS', '0', 'settings.limits.maxLocks is 0; expected a whole number from 1 to 2147483647'],
  [
    'HOLDFAST_LISTENERS',
    '[{"transport":"udp"}]',
    'settings.listeners[0].transport is "udp"; expected "tcp", "unix" or',
  ],
];

describe('the environment of the server program', () => {
  const folder = folderForEachTest();

  it('has values of settings', () => {
    const { values } = readEnvironment(Object.fromEntries(GIVEN));
    expect([...values]).to.deep.equal(GIVEN.map(([, , path, value]) => [path, value]));
  });

  for (const [variable, text, complaint] of WRONG) {
    it(`is refused with its variable when ${variable} is ${JSON.stringify(text)}`, () => {
      expect(() => readEnvironment({ [variable]: text })).to.throw(SettingsError, `${variable}: ${complaint}`);
    });
  }

  it('is refused when a list of objects is no JSON', () => {
    const read = () => readEnvironment({ HOLDFAST_METRICS_GROUPS: 'a b' });
    expect(read).to.throw(SettingsError, /^HOLDFAST_METRICS_GROUPS is "a b"; expected a list of .* groups in JSON: /);
  });

  it('comes before the file and behind the command line, and is named where they contradict', () => {
    const config = folder.writeSettings({ port: 1, drainSeconds: 1, limits: { maxLocks: 4, maxNameBytes: 5 } });
    const variables = { HOLDFAST_PORT: '2', HOLDFAST_DRAIN_SECONDS: '2', HOLDFAST_LIMITS_MAX_LOCKS: '3' };
    const read = (more: object = {}) =>
      readSettings(parseCommandLine(['--config', config, '--port', '3']), { ...variables, ...more });
    const { settings, source } = read();
    expect(settings).to.include({ port: 3, drainSeconds: 2 });
    expect(settings.limits).to.include({ maxLocks: 3, maxNameBytes: 5 });
    const names = 'HOLDFAST_PORT, HOLDFAST_DRAIN_SECONDS, HOLDFAST_LIMITS_MAX_LOCKS';
    expect(source).to.equal(`${config} with ${names}, the command line`);
    const complaint = `${config} with ${names}, HOLDFAST_USER, the command line: settings.group is ""`;
    expect(() => read({ HOLDFAST_USER: 'nobody' })).to.throw(SettingsError, complaint);
  });

  it('asks for the status page by its port, as the command line does', () => {
    const isAskedFor = (variables: NodeJS.ProcessEnv) => readSettings(parseCommandLine([]), variables).isHttpPortGiven;
    expect([isAskedFor({}), isAskedFor({ HOLDFAST_HTTP_PORT: '20935' })]).to.deep.equal([false, true]);
  });

  it('may have variables of others, which are told if they look like settings', () => {
    const own = { HOLDFAST_SERVER: 'a:1', HOLDFAST_LOCK: 'a', HOLDFAST_TOKEN: '1', HOLDFAST_WAITED_MS: '1', PORT: 'x' };
    const kubernetes = { HOLDFAST_PORT: 'tcp://10.0.0.9:20934', HOLDFAST_SERVICE_HOST: '10.0.0.9' };
    const { values, ignored } = readEnvironment({ ...own, ...kubernetes, HOLDFAST_PROT: '1' });
    expect([...values]).to.deep.equal([]);
    expect(ignored).to.deep.equal(['HOLDFAST_PORT', 'HOLDFAST_SERVICE_HOST', 'HOLDFAST_PROT']);
  });

  it('sets up the program, which warns of variables that are no settings', async () => {
    const variables = { PATH: process.env.PATH, HOLDFAST_PORT: 'auto', HOLDFAST_ALLOWED: '::1', HOLDFAST_PROT: '1' };
    const program = new SystemProgram(process.execPath, ['bin/server.js'], variables);
    expect(await program.nextLine()).to.match(/ listens on 127\.0\.0\.1:\d+, allowed: ::1$/);
    let line = '';
    while (!line.includes('HOLDFAST_PROT')) line = await program.nextErrorLine();
    expect(JSON.parse(line)).to.deep.include({
      level: 40,
      variables: ['HOLDFAST_PROT'],
      msg: 'variables of the environment begin like settings, but are none, so they are ignored: HOLDFAST_PROT',
    });
  });

  it('does not show a password that is wrong', () => {
    const config = folder.writeSettings({ cluster: { password: 12345 } });
    const read = () => readSettings(parseCommandLine(['--config', config]), {});
    expect(read)
      .to.throw(SettingsError, 'settings.cluster.password is wrong; expected a password')
      .with.property('message')
      .that.does.not.include('12345');
  });
});
