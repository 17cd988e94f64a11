import { expect } from 'chai';
import { LockClient as BrowserClient } from '../../lib/client/browser-client.ts';
import { LockClient } from '../../lib/client/lock-client.ts';
import { LockInvalidError } from '../../lib/client/lock-error.ts';
import { rejection, rejects } from '../support/rejection.ts';
import { client, clientScene } from './client-scene.ts';

const wrong = <Value>(value: unknown): Value => value as Value;
const run = (): void => {};

describe('options that are no object', () => {
  clientScene();

  for (const value of [null, 5, 'x', true]) {
    const text = JSON.stringify(value);
    const options = wrong<object>(value);
    const message = `options is ${text}; expected an object`;

    it(`are refused by each call of a client: ${text}`, async () => {
      const handle = await client.lock('jobs');
      const calls: Record<string, () => Promise<unknown>> = {
        lock: () => client.lock('a', options),
        tryLock: () => client.tryLock('a', options),
        locked: () => client.locked('a', run, options),
        tryLocked: () => client.tryLocked('a', run, options),
        lockAll: () => client.lockAll(['a'], options),
        lockedAll: () => client.lockedAll(['a'], run, options),
        list: () => client.list(options),
        listAll: () => client.listAll(options).next(),
        forceUnlock: () => client.forceUnlock('a', options),
        rpc: () => client.rpc('ping', {}, options),
        close: () => client.close(options),
        'lock of a handle': () => handle.lock('a', options),
        'tryLock of a handle': () => handle.tryLock('a', options),
        'locked of a handle': () => handle.locked('a', run, options),
      };
      for (const [name, call] of Object.entries(calls)) {
        const error = await rejection(call());
        expect(error, name).to.be.instanceOf(LockInvalidError).and.include({ message });
      }
      expect(() => client.terms('a', options)).to.throw(LockInvalidError, message);
      expect((await client.list()).locks.map(({ lockName }) => lockName)).to.deep.equal(['jobs']);
    });

    it(`make no client: ${text}`, async () => {
      for (const Client of [LockClient, BrowserClient]) {
        const made = wrong<ConstructorParameters<typeof BrowserClient>[0]>(value);
        expect(() => new Client(made)).to.throw(LockInvalidError, message);
        await rejects(Client.connect(made), LockInvalidError, message);
      }
    });
  }
});

describe('unknown options, and options of the wrong type,', () => {
  clientScene();

  it('are refused with the nearest known name', async () => {
    const handle = await client.lock('mine');
    const unknown = (name: string): string => `has "${name}", which is not known`;
    const calls: [() => Promise<unknown>, string][] = [
      [() => client.lock('a', wrong({ waitMS: 5 })), `options ${unknown('waitMS')}; did you mean waitMs?`],
      [() => client.tryLock('a', wrong({ waitMs: 5 })), `options ${unknown('waitMs')}; expected mode`],
      [() => client.lockAll(['a'], wrong({ leaseMS: 5 })), 'did you mean leaseMs?'],
      [() => client.lockAll([wrong({ name: 'a', mod: 'x' })]), `locks[0] ${unknown('mod')}; did you mean mode?`],
      [() => client.list(wrong({ prefx: '' })), 'did you mean prefix?'],
      [() => client.rpc('ping', {}, wrong({ timeoutMS: 1 })), 'did you mean timeoutMs?'],
      [() => client.close(wrong({ drainMS: 1 })), 'did you mean drainMs?'],
      [() => handle.lock('a', wrong({ owner: 'x' })), `options ${unknown('owner')}`],
      [() => LockClient.connect(wrong({ hots: 'x' })), 'did you mean host?'],
      [
        () => LockClient.connect(wrong({ reconnect: { minDelay: 1 } })),
        `reconnect ${unknown('minDelay')}; did you mean minDelayMs?`,
      ],
    ];
    for (const [call, text] of calls) {
      const error = await rejects(Promise.resolve().then(call), LockInvalidError);
      expect(error.message).to.include(text);
    }
    expect((await client.list()).locks.map(({ lockName }) => lockName)).to.deep.equal(['mine']);
  });

  it('are refused before anything happens', async () => {
    const calls: (() => Promise<unknown>)[] = [
      () => client.lock(wrong(5)),
      () => client.lock('a', { mode: wrong('excl') }),
      () => client.lock('a', { owner: wrong(5) }),
      () => client.lock('a', { waitMs: wrong('5') }),
      () => client.lock('a', { signal: wrong({}) }),
      () => client.lock('a', { leaseMs: 0 }),
      () => client.lock('a', { mode: 'permit', limit: 0 }),
      () => client.locked('a', wrong(undefined)),
      () => client.tryLocked('a', wrong('run')),
      () => client.lockedAll(['a'], wrong(undefined)),
      () => client.lockAll(wrong('x')),
      () => client.lockAll([wrong(5)]),
      () => client.lockAll(['a'], { leaseMs: -1 }),
      () => client.rpc('ping', {}, { timeoutMs: -1 }),
      () => LockClient.connect({ tls: { ca: '/etc/ssl/ca.pem' } }),
    ];
    for (const call of calls) expect(await rejection(call()), String(call)).to.be.instanceOf(LockInvalidError);
    expect((await client.stats()).requests.lock).to.equal(0);
  });

  it('are refused with a hint, if a certificate is given as a path', async () => {
    const connecting = LockClient.connect({ tls: { ca: '/etc/ssl/ca.pem' } });
    await rejects(connecting, LockInvalidError, /tls\.ca is "\/etc\/ssl\/ca\.pem"; expected the text of a file in PEM/);
  });
});

describe('options of a client that have wrong values', () => {
  clientScene();

  it('make no client', async () => {
    const expected = 'expected a number from 0, or Infinity';
    const options: [object, string][] = [
      [{ connectTimeoutMs: -1 }, `connectTimeoutMs is -1; ${expected}`],
      [{ requestTimeoutMs: Number.NaN }, `requestTimeoutMs is NaN; ${expected}`],
      [{ reconnect: { minDelayMs: '5' } }, `reconnect.minDelayMs is "5"; ${expected}`],
      [{ reconnect: { maxDelayMs: null } }, `reconnect.maxDelayMs is null; ${expected}`],
      [{ maxBufferedEvents: -1 }, `maxBufferedEvents is -1; ${expected}`],
      [{ whileDisconnected: 'never' }, 'whileDisconnected is "never"; expected "wait" or "fail"'],
    ];
    const place = 'expected host:port, unix:PATH, or a URL that begins with ws:// or wss://';
    const servers = ['a:1'];
    options.push([{ servers: 'a:1' }, 'servers is "a:1"; expected a list of places']);
    for (const length of [0, 101])
      options.push([
        { servers: Array(length).fill('a:1') },
        `servers.length is ${length}; expected a number from 1 to 100`,
      ]);
    for (const wrongPlace of [
      5,
      '',
      'a',
      'a:0',
      'a:65536',
      'a b:1',
      '::1:1',
      'unix:',
      'http://a:1',
      'ws://',
      'ws://a#b',
    ])
      options.push([{ servers: [...servers, wrongPlace] }, `servers[1] is ${JSON.stringify(wrongPlace)}; ${place}`]);
    for (const other of ['host', 'port', 'path', 'url', 'dial'])
      options.push([{ servers, [other]: 'x' }, `${other} is "x"; expected none, since servers is given`]);
    options.push([
      { servers, tls: { ca: 'x' } },
      'tls.ca is "x"; expected the text of a file in PEM, which has a line -----BEGIN ...-----',
    ]);
    for (const [each, message] of options) {
      expect(() => new LockClient(each)).to.throw(LockInvalidError, message);
      await rejects(LockClient.connect(each), LockInvalidError, message);
    }
  });

  it('do not close one', async () => {
    const message = 'drainMs is -1; expected a number from 0, or Infinity';
    await rejects(client.close({ drainMs: -1 }), LockInvalidError, message);
    expect(client.state).to.equal('connected');
  });
});
