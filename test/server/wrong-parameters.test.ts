import { expect } from 'chai';
import { endTest } from './clean-up.ts';
import type { RawClient } from './raw-client.ts';
import { type RunningServer, startServer } from './running-server.ts';

const A_STRING = 'a string';
const A_MODE = '"exclusive", "shared" or "permit"';
const A_MAXIMUM = 'a whole number from 1 to 10000';
const AN_ID = 'the id of a request: a whole number between -2^53 and 2^53, or a string';

const A_TIME_LIMIT = 'a number of seconds from 0 to 1000000000, or false for no limit';

const NO_STRINGS = [null, 0, 1.5, true, [], ['a'], {}];
const NO_WHOLE_NUMBERS = [null, 1.5, '1', true, [], [1], {}];
const NO_TIME_LIMITS = [null, '1', true, [], {}, -1, 1_000_000_001];
const NO_FLAGS = [null, 0, 1, 'true', [], {}];
const NO_MAXIMA = [...NO_WHOLE_NUMBERS, 0, -1, 10_001];

/** For each parameter of each command: the other parameters that the command needs, wrong values, and the expected value. */
const CASES: readonly [
  command: string,
  parameter: string,
  others: object,
  wrong: readonly unknown[],
  expected: string,
][] = [
  ['lock', 'lockName', {}, NO_STRINGS, A_STRING],
  ['lock', 'mode', { lockName: 'a' }, [...NO_STRINGS, '', 'Exclusive', 'exclusive '], A_MODE],
  ['lock', 'limit', { lockName: 'a', mode: 'permit' }, [...NO_WHOLE_NUMBERS, 0, -1, 2 ** 53], 'a whole number from 1'],
  ['lock', 'timeLimit', { lockName: 'a' }, [...NO_TIME_LIMITS, -0.001], A_TIME_LIMIT],
  ['lock', 'owner', { lockName: 'a' }, NO_STRINGS, A_STRING],
  ['lock', 'lease', { lockName: 'a' }, [...NO_TIME_LIMITS, false, 0], 'a number of seconds above 0, up to 1000000000'],
  ['lock', 'steal', { lockName: 'a' }, NO_FLAGS, 'true or false'],
  ['lock', 'stealable', { lockName: 'a' }, NO_FLAGS, 'true or false'],
  ['lockAll', 'locks', {}, [null, 0, 'a', true, {}, { lockName: 'a' }, []], 'a list of one lock or more'],
  ['lockAll', 'timeLimit', { locks: [{ lockName: 'a' }] }, NO_TIME_LIMITS, A_TIME_LIMIT],
  ['lockAll', 'owner', { locks: [{ lockName: 'a' }] }, NO_STRINGS, A_STRING],
  ['unlock', 'lockName', {}, NO_STRINGS, A_STRING],
  ['unlock', 'mode', { lockName: 'a' }, [...NO_STRINGS, 'none'], A_MODE],
  ['unlock', 'owner', { lockName: 'a' }, NO_STRINGS, A_STRING],
  ['unlock', 'token', {}, [...NO_WHOLE_NUMBERS, 2 ** 53, -(2 ** 53)], 'a whole number below 2^53'],
  ['unlockAll', 'owner', {}, NO_STRINGS, A_STRING],
  ['forceUnlock', 'lockName', {}, NO_STRINGS, A_STRING],
  ['forceUnlock', 'mode', { lockName: 'a' }, [...NO_STRINGS, 'none'], A_MODE],
  ['cancel', 'id', {}, [null, 1.5, true, [], {}, 2 ** 53, -(2 ** 53)], AN_ID],
  ['verify', 'lockName', { token: 1 }, NO_STRINGS, A_STRING],
  ['verify', 'token', { lockName: 'a' }, [...NO_WHOLE_NUMBERS, 2 ** 53, -(2 ** 53)], 'a whole number below 2^53'],
  ['inspect', 'lockName', {}, NO_STRINGS, A_STRING],
  ['inspect', 'max', { lockName: 'a' }, NO_MAXIMA, A_MAXIMUM],
  ['list', 'prefix', {}, NO_STRINGS, A_STRING],
  ['list', 'after', {}, NO_STRINGS, A_STRING],
  ['list', 'max', {}, NO_MAXIMA, A_MAXIMUM],
  ['identify', 'name', {}, NO_STRINGS, A_STRING],
  ['who', 'name', {}, NO_STRINGS, A_STRING],
  ['who', 'after', {}, [...NO_WHOLE_NUMBERS, -1, 2 ** 53], 'the "next" of the page before'],
  ['who', 'max', {}, NO_MAXIMA, A_MAXIMUM],
  ['hello', 'protocol', {}, [null, 0, 2, '1', true, [], {}], '1'],
  ['hello', 'name', { protocol: 1 }, NO_STRINGS, A_STRING],
  ['hello', 'redirect', { protocol: 1 }, NO_FLAGS, 'true or false'],
  ['hello', 'confirm', { protocol: 1 }, NO_FLAGS, 'true or false'],
  ['ping', 'confirm', {}, NO_FLAGS, 'true or false'],
];

/** The same for each key of a lock in lockAll's list. */
const ENTRY_CASES: readonly [key: string, others: object, wrong: readonly unknown[], expected: string][] = [
  ['lockName', {}, NO_STRINGS, A_STRING],
  ['mode', { lockName: 'b' }, [...NO_STRINGS, '', 'Shared'], A_MODE],
  ['limit', { lockName: 'b', mode: 'permit' }, [...NO_WHOLE_NUMBERS, 0, -1, 2 ** 53], 'a whole number from 1'],
];

const REQUIRED: Readonly<Record<string, string>> = {
  lock: 'lockName',
  lockAll: 'locks',
  forceUnlock: 'lockName',
  cancel: 'id',
  verify: 'lockName',
  inspect: 'lockName',
  identify: 'name',
  hello: 'protocol',
  reclaim: 'holds',
};

/** The parameters that each command needs, and the names of all. */
const KNOWN: Readonly<Record<string, readonly [needed: object, names: string]>> = {
  lock: [{ lockName: 'a' }, 'lockName, mode, limit, timeLimit, owner, lease, steal, stealable'],
  lockAll: [{ locks: [{ lockName: 'a' }] }, 'locks, timeLimit, owner, lease'],
  forceUnlock: [{ lockName: 'a' }, 'lockName, mode'],
  unlock: [{ lockName: 'a' }, 'lockName, mode, owner, token'],
  unlockAll: [{}, 'owner'],
  cancel: [{ id: 1 }, 'id'],
  verify: [{ lockName: 'a', token: 1 }, 'lockName, token'],
  inspect: [{ lockName: 'a' }, 'lockName, max'],
  list: [{}, 'prefix, after, max'],
  stats: [{}, 'nothing'],
  identify: [{ name: 'a' }, 'name'],
  whoami: [{}, 'nothing'],
  who: [{}, 'name, after, max'],
  ping: [{}, 'confirm'],
  cluster: [{}, 'nothing'],
  hello: [{ protocol: 1 }, 'protocol, name, session, redirect, confirm'],
  reclaim: [{ holds: [] }, 'holds, last'],
  bye: [{}, 'nothing'],
};

describe('wrong parameters', () => {
  let server: RunningServer;
  let client: RawClient;

  beforeEach(async () => {
    server = await startServer();
    client = await server.connect();
  });
  afterEach(async () => {
    const { failedRequests, grants } = await client.ask('stats');
    await endTest();
    expect({ failedRequests, grants }).to.deep.equal({ failedRequests: 0, grants: 0 });
  });

  for (const [command, parameter, others, wrong, expected] of CASES) {
    it(`are refused as ${parameter} of ${command}, with the field, its value and the expected one`, async () => {
      for (const value of wrong) {
        await refuses(
          command,
          { ...others, [parameter]: value },
          `parameters.${parameter}`,
          `parameters.${parameter} is ${shown(value)}; expected ${expected}`,
        );
      }
    });
  }

  for (const [command, parameter] of Object.entries(REQUIRED)) {
    it(`are refused by ${command} when ${parameter} is missing`, async () => {
      await refuses(command, {}, `parameters.${parameter}`, `parameters.${parameter} is missing`);
      client.send({ command, id: 1 });
      expect(await client.next()).to.have.nested.property('result.message', `parameters.${parameter} is missing`);
    });
  }

  for (const [command, [needed, names]] of Object.entries(KNOWN)) {
    it(`are refused by ${command} when they are unknown`, async () => {
      for (const [unknown, field] of [
        ['lockname', '.lockname'],
        ['constructor', '.constructor'],
        ['toString', '.toString'],
        ['', '[""]'],
        ['a b', '["a b"]'],
        ['7', '[7]'],
      ] as const) {
        const at = `parameters${field}`;
        await refuses(command, { ...needed, [unknown]: 1 }, at, `${at} is not known; expected ${names}`);
      }
    });

    it(`are refused by ${command} when they are no object`, async () => {
      for (const parameters of [[], [1], 'x', 0, true, false]) {
        const message = `parameters is ${JSON.stringify(parameters)}; expected an object`;
        await refuses(command, parameters, 'parameters', message);
      }
    });
  }

  for (const [key, others, wrong, expected] of ENTRY_CASES) {
    it(`are refused as ${key} of a lock of lockAll, with its place in the list`, async () => {
      for (const value of wrong) {
        const at = `parameters.locks[1].${key}`;
        const locks = [{ lockName: 'a' }, { ...others, [key]: value }];
        await refuses('lockAll', { locks }, at, `${at} is ${shown(value)}; expected ${expected}`);
      }
    });
  }

  it('are refused when a listed lock is no object, has no name or has an unknown key', async () => {
    for (const entry of [null, 'a', 1, true, []]) {
      const message = `parameters.locks[0] is ${JSON.stringify(entry)}; expected an object`;
      await refuses('lockAll', { locks: [entry] }, 'parameters.locks[0]', message);
    }
    const [missing, unknown] = ['parameters.locks[2].lockName', 'parameters.locks[0].owner'];
    const locks = [{ lockName: 'a' }, { lockName: 'b' }, { mode: 'shared' }];
    await refuses('lockAll', { locks }, missing, `${missing} is missing`);
    const message = `${unknown} is not known; expected lockName, mode, limit`;
    await refuses('lockAll', { locks: [{ lockName: 'a', owner: 'x' }] }, unknown, message);
  });

  it('are refused when they contradict each other, with the field', async () => {
    for (const [command, parameters, message] of [
      ['lock', { lockName: 'a', limit: 2 }, 'parameters.limit is 2; expected none, since mode is "exclusive"'],
      [
        'lockAll',
        { locks: [{ lockName: 'a' }, { lockName: 'b', mode: 'shared', limit: 2 }] },
        'parameters.locks[1].limit is 2; expected none, since mode is "shared"',
      ],
      [
        'lock',
        { lockName: 'a', mode: 'shared', steal: true },
        'parameters.steal is true; expected none, since mode is "shared"',
      ],
    ] as const) {
      expect(await client.ask(command, parameters)).to.deep.equal({ status: 'invalid', message });
    }
  });

  /** Expects exactly this refusal. */
  async function refuses(command: string, parameters: unknown, field: string, message: string): Promise<void> {
    client.send({ command, parameters, id: 1 });
    expect(await client.next()).to.deep.equal({
      id: 1,
      result: { status: 'invalid', message, errors: [{ field, message }] },
    });
  }
});

describe('parameters that are right', () => {
  afterEach(endTest);

  it('are accepted up to their bounds', async () => {
    const client = await (await startServer()).connect();
    for (const [command, parameters] of [
      ['lock', { lockName: '', mode: 'permit', limit: 1, timeLimit: 1e9, owner: '', lease: 1e9 }],
      ['lock', { lockName: 'b', mode: 'permit', limit: Number.MAX_SAFE_INTEGER, timeLimit: 0 }],
      ['lock', { lockName: 'c', timeLimit: 0.000_001, lease: 1_000 }],
      ['lock', { lockName: 'd', timeLimit: false }],
      ['lock', { lockName: 'e', steal: true, stealable: true }],
      ['lock', { lockName: 'f', mode: 'shared', steal: false, stealable: false }],
      ['lockAll', { locks: [{ lockName: '' }], timeLimit: 1e9, owner: '' }],
      ['lockAll', { locks: [{ lockName: 'g', mode: 'permit', limit: Number.MAX_SAFE_INTEGER }], timeLimit: false }],
      ['inspect', { lockName: '', max: 10_000 }],
      ['list', { prefix: '', after: '', max: 1 }],
      ['who', { name: '', after: 0, max: 10_000 }],
      ['cancel', { id: '' }],
      ['cancel', { id: -1 }],
      ['unlock', { lockName: 'd', token: 4, mode: 'exclusive', owner: '' }],
    ] as const) {
      expect(await client.ask(command, parameters), JSON.stringify(parameters)).to.include({ status: 'ok' });
    }
  });
});

/** Numbers beyond 2^53 are not shown, because they were rounded. */
function shown(value: unknown): string {
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? 'a number beyond 2^53' : JSON.stringify(value);
}
