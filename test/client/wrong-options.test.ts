import { expect } from 'chai';
import { LockClient as BrowserClient } from '../../lib/client/browser-client.ts';
import { LockClient } from '../../lib/client/lock-client.ts';
import { LockInvalidError } from '../../lib/client/lock-error.ts';
import { endTest } from '../server/clean-up.ts';
import { startServer } from '../server/running-server.ts';
import { rejection } from './rejection.ts';

const run = (): void => {};

describe('options that are no object', () => {
  afterEach(endTest);

  for (const [wrong, text] of [
    [null, 'null'],
    [5, '5'],
    ['x', '"x"'],
    [true, 'true'],
  ] as const) {
    const options = wrong as unknown as object;
    const message = `options is ${text}; expected an object`;

    it(`are refused by each call of a client: ${text}`, async () => {
      const client = await (await startServer()).client();
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
        expect(await rejection(call()), name)
          .to.be.instanceOf(LockInvalidError)
          .and.include({ message });
      }
      expect(() => client.terms('a', options)).to.throw(LockInvalidError, message);
      expect((await client.list()).locks.map(({ lockName }) => lockName)).to.deep.equal(['jobs']);
    });

    it(`make no client: ${text}`, async () => {
      for (const Client of [LockClient, BrowserClient]) {
        const made = wrong as unknown as ConstructorParameters<typeof BrowserClient>[0];
        expect(() => new Client(made)).to.throw(LockInvalidError, message);
        expect(await rejection(Client.connect(made)))
          .to.be.instanceOf(LockInvalidError)
          .and.include({ message });
      }
    });
  }
});
