import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import type { WebLock } from '../../lib/client/web-locks/web-lock.ts';
import { endTest } from '../server/clean-up.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { rejection } from './rejection.ts';

/** Callers without types can pass anything, and nothing. */
type AnyRequest = (...parameters: readonly unknown[]) => Promise<unknown>;

describe('a request by the Web Locks API', () => {
  let server: RunningServer;
  let client: LockClient;
  let request: AnyRequest;
  let calls: number;

  const callback = (): void => {
    calls += 1;
  };

  beforeEach(async () => {
    calls = 0;
    server = await startServer();
    client = await server.client();
    request = client.locks.request.bind(client.locks) as AnyRequest;
  });
  afterEach(endTest);

  describe('is refused with a TypeError', () => {
    afterEach(() => {
      expect(calls).to.equal(0);
    });

    it('without a name, or without a callback', async () => {
      for (const parameters of [[], ['jobs']])
        await isTypeError(parameters, 'callback is undefined; expected a function');
    });

    it('when the callback is no function', async () => {
      for (const wrong of [undefined, null, 123, 'text', [], {}, Promise.resolve()]) {
        await isTypeError(['jobs', wrong]);
        await isTypeError(['jobs', {}, wrong]);
      }
    });

    it('when a third argument is given and is no function, whatever the second', async () => {
      await isTypeError(['jobs', callback, undefined], 'callback is undefined; expected a function');
    });

    it('when the name is a symbol or cannot become a string', async () => {
      await isTypeError([Symbol('jobs'), callback]);
      await isTypeError([Object.create(null), callback]);
    });

    it('when the options are no object', async () => {
      for (const wrong of [1, 'exclusive', true, Symbol('options')]) await isTypeError(['jobs', wrong, callback]);
    });

    it('when the mode is none of the two', async () => {
      await isTypeError(['jobs', { mode: 'foo' }, callback], 'mode is "foo"; expected "exclusive" or "shared"');
      await isTypeError(['jobs', { mode: null }, callback], 'mode is null; expected "exclusive" or "shared"');
      await isTypeError(['jobs', { mode: 'permit' }, callback]);
      await isTypeError(['jobs', { mode: 'Exclusive' }, callback]);
    });

    it('when the signal is none', async () => {
      const wrong = ['text', 12.5, false, null, {}, Symbol('signal'), callback, Object.create(AbortSignal.prototype)];
      for (const signal of wrong) await isTypeError(['jobs', { signal }, callback]);
      await isTypeError(['jobs', { signal: 'text' }, callback], 'signal is "text"; expected an AbortSignal');
    });

    it('when it is called on something else', async () => {
      const { request: unbound, query } = client.locks as unknown as Record<'request' | 'query', AnyRequest>;
      expect(await rejection(unbound('jobs', callback))).to.be.instanceOf(TypeError);
      expect(await rejection(query.call({}))).to.be.instanceOf(TypeError);
    });

    it('before anything that the standard does not support is looked at', async () => {
      await isTypeError(['-jobs', { steal: true, ifAvailable: true }, undefined]);
      await isTypeError(['-jobs', { steal: true, mode: 'foo' }, callback]);
    });

    async function isTypeError(parameters: readonly unknown[], message?: string): Promise<void> {
      const error = await rejection(request(...parameters));
      expect(error).to.be.instanceOf(TypeError);
      if (message !== undefined) expect(error).to.have.property('message', message);
    }
  });

  describe('is refused as not supported', () => {
    afterEach(() => {
      expect(calls).to.equal(0);
    });

    it('for names that begin with a hyphen', async () => {
      for (const name of ['-', '-foo']) await isNotSupported([name, callback]);
    });

    it('to steal what is available only', async () => {
      await isNotSupported(['jobs', { steal: true, ifAvailable: true }, callback]);
    });

    it('to steal a shared lock', async () => {
      await isNotSupported(['jobs', { mode: 'shared', steal: true }, callback]);
    });

    it('with a signal for what does not wait', async () => {
      const { signal } = new AbortController();
      await isNotSupported(['jobs', { signal, steal: true }, callback]);
      await isNotSupported(['jobs', { signal, ifAvailable: true }, callback]);
    });

    it('before the signal is looked at', async () => {
      await isNotSupported(['-', { signal: AbortSignal.abort('reason') }, callback]);
      await isNotSupported(['jobs', { signal: AbortSignal.abort('reason'), steal: true }, callback]);
    });

    async function isNotSupported(parameters: readonly unknown[]): Promise<void> {
      expect(await rejection(request(...parameters)))
        .to.be.instanceOf(DOMException)
        .and.include({ name: 'NotSupportedError', code: DOMException.NOT_SUPPORTED_ERR });
    }
  });

  describe('is taken', () => {
    it('with options that say nothing', async () => {
      const modeOf = (lock: WebLock): string => lock.mode;
      for (const options of [undefined, null, {}, () => {}, { mode: undefined, signal: undefined, steal: undefined }]) {
        expect(await request('jobs', options, modeOf)).to.equal('exclusive');
      }
    });

    it('with options that become what they should be', async () => {
      const mode = { toString: () => 'shared' };
      expect(await request('jobs', { mode, steal: 0, ifAvailable: '' }, (lock: WebLock) => lock.mode)).to.equal(
        'shared',
      );
      expect(await request('jobs', { ifAvailable: 'yes' }, (lock: WebLock) => lock.mode)).to.equal('exclusive');
    });

    it('with more arguments than are needed', async () => {
      expect(await request('jobs', {}, () => 'value', 'more')).to.equal('value');
    });

    it('with a name that becomes a string', async () => {
      for (const name of [undefined, null, 12, { toString: () => 'text' }]) {
        expect(await request(name, (lock: WebLock) => lock.name)).to.equal(String(name));
      }
    });

    it('after the options were read once each, in the order of a browser', async () => {
      const order: string[] = [];
      const options = new Proxy(
        {},
        {
          get: (_target, member) => {
            order.push(String(member));
            return undefined;
          },
        },
      );
      const name = {
        toString: () => {
          order.push('name');
          return 'jobs';
        },
      };
      await request(name, options, callback);
      expect(order).to.deep.equal(['name', 'ifAvailable', 'mode', 'signal', 'steal']);
    });

    it('with what a getter throws passed on', async () => {
      const thrown = new Error('from the getter');
      const options = {
        get mode(): string {
          throw thrown;
        },
      };
      expect(await rejection(request('jobs', options, callback))).to.equal(thrown);
    });
  });

  describe('of a closed client', () => {
    it('is an invalid state, once its arguments are right', async () => {
      await client.close();
      expect(await rejection(request('jobs', 'no function'))).to.be.instanceOf(TypeError);
      for (const refused of [request('-', callback), request('jobs', callback), client.locks.query()]) {
        expect(await rejection(refused))
          .to.be.instanceOf(DOMException)
          .and.include({ name: 'InvalidStateError' });
      }
      expect(calls).to.equal(0);
    });

    it('is an invalid state while that waits for what is held', async () => {
      const handle = await client.lock('jobs');
      const closed = client.close({ drainMs: 3_600_000 });
      expect(await rejection(request('free', callback))).to.include({ name: 'InvalidStateError' });
      await handle.release();
      await closed;
    });
  });

  it('is made of a manager and locks that are called as in a browser', async () => {
    expect(Object.prototype.toString.call(client.locks)).to.equal('[object LockManager]');
    expect(client.locks).to.equal(client.locks);
    expect(client.locks.request).to.have.lengthOf(2);
    const lock = await client.locks.request('jobs', (granted) => granted as WebLock);
    expect(Object.prototype.toString.call(lock)).to.equal('[object Lock]');
    expect(lock).to.include({ name: 'jobs', mode: 'exclusive' });
    const Constructor = lock.constructor as new (name: string, mode: string) => WebLock;
    expect(() => new Constructor('jobs', 'exclusive')).to.throw(TypeError);
    expect(() => {
      (lock as { name: string }).name = 'other';
    }).to.throw(TypeError);
  });
});
