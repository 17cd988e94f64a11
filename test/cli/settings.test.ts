import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { completeSettings, readSettingsFile, type Settings, SettingsError } from '../../lib/cli/settings.ts';
import { DEFAULT_LOCK_SERVER_LIMITS } from '../../lib/server/lock-server-limits.ts';
import { folderForEachTest } from '../server/clean-up.ts';

const SHIPPED_FILE = fileURLToPath(new URL('../../../config/settings.json', import.meta.url));

const WRONG: readonly [setting: string, wrong: readonly unknown[], expected: string][] = [
  ['host', [null, 1, true, [], {}, ''], 'an address or a host name'],
  ['port', [null, '20934', true, 1.5, -1, 65_536, [], {}], 'a whole number from 0 to 65535, or "auto"'],
  ['allowed', [null, '127.0.0.1', 1, true, {}], 'a list of addresses and CIDR ranges'],
  ['forceUnlock', [null, 'true', 1, 0, [], {}], 'true or false'],
  ['verbose', [null, 'true', 1, 0, [], {}], 'true or false'],
  ['drainSeconds', [null, '1', true, -1, -0.1, 86_401, [], {}], 'a number of seconds from 0 to 86400'],
  ['handshakeTimeoutMs', [null, '1', true, 0, 0.5, 2 ** 31, [], {}], 'a whole number from 1 to 2147483647'],
  ['history', [null, 1, 'x', true, []], 'an object'],
  ['log', [null, 1, 'x', true, []], 'an object'],
  ['limits', [null, 1, 'x', true, []], 'an object'],
];

/** They follow from the heap of the process. */
const AUTO_LIMITS = { maxTableBytes: 'auto', totalOutputBytes: 'auto', totalInputBytes: 'auto' } as const;
const WRONG_LIMITS = [null, '1', true, 0, -1, 1.5, 2 ** 31, [], {}];

describe('the settings', () => {
  const folder = folderForEachTest();
  let file: string;

  beforeEach(() => {
    file = folder.at('settings.json');
  });

  it('have the defaults of the shipped file', () => {
    const shipped: unknown = JSON.parse(readFileSync(SHIPPED_FILE, 'utf8'));
    expect(load({})).to.deep.equal(shipped);
    expect(loadSettings(SHIPPED_FILE)).to.deep.equal(shipped);
  });

  it('have the default limits of a server', () => {
    expect(load({}).limits).to.deep.equal({ ...DEFAULT_LOCK_SERVER_LIMITS, ...AUTO_LIMITS });
  });

  it('come from the file, and otherwise from the defaults', () => {
    const said = { host: '::1', port: 0, allowed: [], verbose: true, drainSeconds: 1.5 };
    expect(load({ ...said, limits: { maxLocks: 7 } })).to.deep.equal({
      ...load({}),
      ...said,
      limits: { ...DEFAULT_LOCK_SERVER_LIMITS, ...AUTO_LIMITS, maxLocks: 7 },
    });
  });

  it('are the same however often they are loaded', () => {
    expect(load({ limits: { maxLocks: 7 } }).limits.maxLocks).to.equal(7);
    expect(load({}).limits.maxLocks).to.equal(2_000_000);
  });

  it('come from the command line before the file', () => {
    const overrides = { host: '0.0.0.0', port: 1, allowed: ['10.0.0.0/8'], verbose: true };
    const settings = load({ host: 'localhost', port: 2, drainSeconds: 3 }, overrides);
    expect(settings).to.deep.include({ ...overrides, drainSeconds: 3 });
  });

  for (const [setting, wrong, expected] of WRONG) {
    it(`are refused when ${setting} is wrong, with its name, its value and the expected one`, () => {
      for (const value of wrong) {
        const said = `settings.${setting} is ${JSON.stringify(value)}; expected ${expected}`;
        refuses({ [setting]: value }, `${file}: ${said}`);
      }
    });
  }

  it('are refused when an entry of allowed is no string', () => {
    const expected = 'expected an address or a CIDR range, a string';
    refuses({ allowed: ['::1', 5] }, `${file}: settings.allowed[1] is 5; ${expected}`);
    refuses({ allowed: [null] }, `${file}: settings.allowed[0] is null; ${expected}`);
  });

  for (const limit of Object.keys(DEFAULT_LOCK_SERVER_LIMITS)) {
    it(`are refused when limits.${limit} is wrong`, () => {
      for (const value of WRONG_LIMITS) {
        if (limit in AUTO_LIMITS && value === 2 ** 31) continue;
        const said = `settings.limits.${limit} is ${JSON.stringify(value)}`;
        const range = limit in AUTO_LIMITS ? '9007199254740991, or "auto"' : '2147483647';
        refuses({ limits: { [limit]: value } }, `${file}: ${said}; expected a whole number from 1 to ${range}`);
      }
    });
  }

  it('let the memory of the lock table be more than other limits', () => {
    expect(load({ limits: { maxTableBytes: 2 ** 33 } }).limits.maxTableBytes).to.equal(2 ** 33);
  });

  it('are refused when one is unknown', () => {
    const known =
      'expected host, port, allowed, listeners, origins, hosts, tls, http, metrics, pidfile, stateDirectory, cluster, user, group, dump, registry, forceUnlock, verbose, drainSeconds, handshakeTimeoutMs, history, log, limits';
    refuses({ Port: 1 }, `${file}: settings.Port is not known; ${known}`);
    refuses({ constructor: 1 }, `${file}: settings.constructor is not known; ${known}`);
    refuses({ 'a b': 1 }, `${file}: settings["a b"] is not known; ${known}`);
    const limits = Object.keys(DEFAULT_LOCK_SERVER_LIMITS).join(', ');
    refuses({ limits: { maxlocks: 1 } }, `${file}: settings.limits.maxlocks is not known; expected ${limits}`);
  });

  it('are refused when the hard limit of output leaves no room for a page', () => {
    const expected = 'expected softOutputBytes and six times maxPageBytes';
    const limits = { softOutputBytes: 10, maxPageBytes: 10, hardOutputBytes: 69 };
    refuses({ limits }, `${file}: settings.limits.hardOutputBytes is 69; ${expected}, 70, or more`);
    expect(load({ limits: { ...limits, hardOutputBytes: 70 } }).limits.hardOutputBytes).to.equal(70);
  });

  it('are refused when they name a user without a group', () => {
    refuses({ user: 'nobody' }, `${file}: settings.group is ""; expected a group, since there is settings.user`);
    expect(load({ group: 'nogroup' })).to.include({ user: '', group: 'nogroup' });
  });

  it('are refused when the command line says something wrong', () => {
    const overrides = { port: 65_536 };
    expect(() => load({}, overrides)).to.throw(
      SettingsError,
      'settings.port is 65536; expected a whole number from 0 to 65535, or "auto"',
    );
  });

  it('are refused when the file does not exist or cannot be read', () => {
    const missing = folder.at('missing.json');
    expect(() => loadSettings(missing)).to.throw(SettingsError, `cannot read the settings: ENOENT`);
    expect(() => loadSettings(missing)).to.throw(SettingsError, missing);
    expect(() => loadSettings(folder.path)).to.throw(SettingsError, `cannot read the settings: EISDIR`);
  });

  it('are refused when the file is not JSON', () => {
    for (const text of ['', '{', '{"port":1,}', '// none\n{}', 'port=1']) {
      writeFileSync(file, text);
      expect(() => loadSettings(file), text).to.throw(SettingsError, `${file}: not JSON: `);
    }
  });

  it('are refused when the file holds no object', () => {
    for (const text of ['null', '[]', '"settings"', '1', 'true']) {
      writeFileSync(file, text);
      expect(() => loadSettings(file), text).to.throw(SettingsError, `${file}: expected an object of settings`);
    }
  });

  function load(settings: object, overrides: object = {}): Settings {
    return loadSettings(folder.writeSettings(settings), overrides);
  }

  function refuses(settings: object, message: string): void {
    expect(() => load(settings), message)
      .to.throw(SettingsError)
      .with.property('message', message);
  }
});

/** Loads settings as the program does: the file, then the command line. */
function loadSettings(file: string, overrides: object = {}): Settings {
  return completeSettings({ ...readSettingsFile(file), ...overrides }, file);
}
