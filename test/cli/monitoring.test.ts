import { createServer } from 'node:net';
import { expect } from 'chai';
import { readGlockdFlags } from '../../lib/cli/glockd.ts';
import { planMonitoring } from '../../lib/cli/monitoring.ts';
import { readServerArguments } from '../../lib/cli/server.ts';
import { completeSettings, type Settings } from '../../lib/cli/settings.ts';
import { DEFAULT_HTTP_PORT } from '../../lib/cli/settings-schema.ts';
import type { Monitored } from '../../lib/http/monitored.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { expectStartFails, startListening } from '../server/running-program.ts';
import { freePort } from '../support/free-port.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const standing = (): Monitored => ({ role: 'standby', reason: 'noLeader' });

function settingsWith(given: Readonly<Record<string, unknown>>): Settings {
  return completeSettings(given, 'test');
}

/** Has a listener at the port, unless another process has it already. */
async function occupy(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) =>
    server.once('error', () => resolve()).listen(port, '127.0.0.1', () => resolve()),
  );
  whenTestEnds(() => server.close());
}

describe('the port of the status page', () => {
  afterEach(endTest);

  it('is not opened beside port "auto" nor as glockd, unless it is asked for, and not with 0', () => {
    const isOpened = (given: object, isPortGiven = false): boolean =>
      planMonitoring(settingsWith({ ...given }), isPortGiven) !== undefined;
    expect(isOpened({})).to.equal(true);
    expect(isOpened({ port: 'auto' })).to.equal(false);
    expect(isOpened({ port: 'auto' }, true)).to.equal(true);
    expect(isOpened({ port: 'auto', http: { port: 1234 } })).to.equal(true);
    expect(isOpened({ http: { port: 0 } }, true)).to.equal(false);
    const asGlockd = (...flags: string[]): boolean =>
      planMonitoring(readGlockdFlags(['-pidfile', '/nowhere', ...flags]) as Settings, true) !== undefined;
    expect([asGlockd(), asGlockd('-http', '1234')]).to.deep.equal([false, true]);
  });

  it('costs a line of the log when it is the default and busy, and stops the start when it was asked for', async () => {
    await occupy(DEFAULT_HTTP_PORT);
    const logger = new RecordingLogger();
    expect(await planMonitoring(settingsWith({}), false)?.open(standing, logger)).to.equal(undefined);
    expect(logger.warnings).to.have.lengthOf(1);
    expect(logger.warnings[0]).to.match(/^there is no status page .* another process listens on the default port; /);
    const error = await planMonitoring(settingsWith({}), true)
      ?.open(standing, logger)
      .catch((reason) => reason.code);
    expect(error).to.equal('EADDRINUSE');
    const port = await freePort();
    await occupy(port);
    await expectStartFails(
      'bin/server.js',
      3,
      /cannot listen for HTTP: .*EADDRINUSE/,
      '--port',
      'auto',
      '--http',
      String(port),
    );
  });

  it('is opened with the names of the command line and serves the page', async () => {
    const port = await freePort();
    await startListening('bin/server.js', '--port', 'auto', '--http', String(port));
    const url = `http://127.0.0.1:${port}/`;
    expect(await (await fetch(`${url}readyz`)).text()).to.equal('ok\n');
    expect(await (await fetch(url)).text()).to.match(/^<!doctype html>/);
    expect(readServerArguments(['--http', '1', '--http-host', 'a.example']).http).to.deep.include({
      port: 1,
      hosts: ['a.example'],
    });
  });

  it('refuses settings that are wrong, by name', () => {
    const cases: readonly (readonly [object, RegExp])[] = [
      [{ http: { port: -1 } }, /^test: settings\.http\.port is -1; expected/],
      [{ http: { hosts: ['a/b'] } }, /^settings\.http\.hosts\[0\]: "a\/b" is no host name/],
      [{ http: { allowed: ['x'] } }, /^settings\.http\.allowed: "x"/],
      [{ metrics: { groups: [{ match: 'a' }] } }, /^test: settings\.metrics\.groups\[0\]\.name is missing/],
      [
        { metrics: { groups: new Array(101).fill({ match: 'a', name: 'a' }) } },
        /^test: settings\.metrics\.groups .*at most 100/,
      ],
    ];
    for (const [given, complaint] of cases) {
      expect(() => planMonitoring(settingsWith({ ...given }), false)).to.throw(complaint);
    }
  });
});
