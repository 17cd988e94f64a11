import { expect } from 'chai';
import type { WebLock } from '../../lib/client/web-locks/web-lock.ts';
import { rejection, rejects } from '../support/rejection.ts';
import { client } from './client-scene.ts';
import { locks, webLocksScene } from './web-locks-scene.ts';

/** Callers without types can pass anything, and nothing. */
type AnyRequest = (...parameters: readonly unknown[]) => Promise<unknown>;

describe('a request by the Web Locks API', () => {
  webLocksScene();

  let request: AnyRequest;
  let calls: number;

  const callback = (): void => {
    calls += 1;
  };

  beforeEach(() => {
    calls = 0;
    request = locks.request.bind(locks) as AnyRequest;
  });

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

    it('when a third argument is given that is no function', async () => {
      await isTypeError(['jobs', callback, undefined], 'callback is undefined; expected a function');
    });

    it('when the name is a symbol or cannot become a string', async () => {
      await isTypeError([Symbol('jobs'), callback]);
      await isTypeError([Object.create(null), callback]);
    });

    it('when the options are no object', async () => {
      for (const wrong of [1, 'exclusive', true, Symbol('options')]) await isTypeError(['jobs', wrong, callback]);
    });

    it('when the mode is neither exclusive nor shared', async () => {
      await isTypeError(['jobs', { mode: 'foo' }, callback], 'mode is "foo"; expected "exclusive" or "shared"');
      await isTypeError(['jobs', { mode: null }, callback], 'mode is null; expected "exclusive" or "shared"');
      await isTypeError(['jobs', { mode: 'permit' }, callback]);
      await isTypeError(['jobs', { mode: 'Exclusive' }, callback]);
    });

    it('when the signal is no AbortSignal', async () => {
      const wrong = ['text', 12.5, false, null, {}, Symbol('signal'), callback, Object.create(AbortSignal.prototype)];
      for (const signal of wrong) await isTypeError(['jobs', { signal }, callback]);
      await isTypeError(['jobs', { signal: 'text' }, callback], 'signal is "text"; expected an AbortSignal');
    });

    it('when it is called on another object', async () => {
      const { request: unbound, query } = locks as unknown as Record<'request' | 'query', AnyRequest>;
      await rejects(unbound('jobs', callback), TypeError);
      await rejects(query.call({}), TypeError);
    });

    it('before it is refused as not supported', async () => {
      await isTypeError(['-jobs', { steal: true, ifAvailable: true }, undefined]);
      await isTypeError(['-jobs', { steal: true, mode: 'foo' }, callback]);
    });

    async function isTypeError(parameters: readonly unknown[], message?: string): Promise<void> {
      await rejects(request(...parameters), TypeError, message);
    }
  });

  describe('is refused as not supported', () => {
    afterEach(() => {
      expect(calls).to.equal(0);
    });

    const { signal } = new AbortController();
    const aborted = AbortSignal.abort('reason');
    const cases: Record<string, readonly [name: string, options: object][]> = {
      'for names that begin with a hyphen': [
        ['-', {}],
        ['-foo', {}],
      ],
      'to steal only what is available': [['jobs', { steal: true, ifAvailable: true }]],
      'to steal a shared lock': [['jobs', { mode: 'shared', steal: true }]],
      'with a signal when it does not wait': [
        ['jobs', { signal, steal: true }],
        ['jobs', { signal, ifAvailable: true }],
      ],
      'before the signal is looked at': [
        ['-', { signal: aborted }],
        ['jobs', { signal: aborted, steal: true }],
      ],
    };
    for (const [title, requests] of Object.entries(cases)) {
      it(title, async () => {
        for (const [name, options] of requests) await isNotSupported([name, options, callback]);
      });
    }

    async function isNotSupported(parameters: readonly unknown[]): Promise<void> {
      const expected = { name: 'NotSupportedError', code: DOMException.NOT_SUPPORTED_ERR };
      await rejects(request(...parameters), DOMException, expected);
    }
  });

  describe('is taken', () => {
    it('with empty options', async () => {
      const modeOf = (lock: WebLock): string => lock.mode;
      for (const options of [undefined, null, {}, () => {}, { mode: undefined, signal: undefined, steal: undefined }]) {
        expect(await request('jobs', options, modeOf)).to.equal('exclusive');
      }
    });

    it('with options that can be converted', async () => {
      const mode = { toString: () => 'shared' };
      expect(await request('jobs', { mode, steal: 0, ifAvailable: '' }, (lock: WebLock) => lock.mode)).to.equal(
        'shared',
      );
      expect(await request('jobs', { ifAvailable: 'yes' }, (lock: WebLock) => lock.mode)).to.equal('exclusive');
    });

    it('with further arguments', async () => {
      expect(await request('jobs', {}, () => 'value', 'more')).to.equal('value');
    });

    it('with a name that can be converted to a string', async () => {
      for (const name of [undefined, null, 12, { toString: () => 'text' }]) {
        expect(await request(name, (lock: WebLock) => lock.name)).to.equal(String(name));
      }
    });

    it('after the options were read once each, in the order of a browser', async () => {
      const order: string[] = [];
      const note = (_target: object, member: string | symbol): void => {
        order.push(String(member));
      };
      const options = new Proxy({}, { get: note });
      const name = {
        toString: () => {
          order.push('name');
          return 'jobs';
        },
      };
      await request(name, options, callback);
      expect(order).to.deep.equal(['name', 'ifAvailable', 'mode', 'signal', 'steal']);
    });

    it('and passes on the error of a getter', async () => {
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
    it('is an invalid state when its arguments are right', async () => {
      await client.close();
      await rejects(request('jobs', 'no function'), TypeError);
      for (const refused of [request('-', callback), request('jobs', callback), locks.query()]) {
        await rejects(refused, DOMException, { name: 'InvalidStateError' });
      }
      expect(calls).to.equal(0);
    });

    it('is an invalid state while the client waits for its locks to be released', async () => {
      const handle = await client.lock('jobs');
      const closed = client.close({ drainMs: 3_600_000 });
      expect(await rejection(request('free', callback))).to.include({ name: 'InvalidStateError' });
      await handle.release();
      await closed;
    });
  });

  it('has a manager and locks with the names that they have in a browser', async () => {
    expect(Object.prototype.toString.call(locks)).to.equal('[object LockManager]');
    expect(client.locks).to.equal(locks);
    expect(locks.request).to.have.lengthOf(2);
    const lock = await locks.request('jobs', (granted) => granted as WebLock);
    expect(Object.prototype.toString.call(lock)).to.equal('[object Lock]');
    expect(lock).to.include({ name: 'jobs', mode: 'exclusive' });
    const Constructor = lock.constructor as new (name: string, mode: string) => WebLock;
    expect(() => new Constructor('jobs', 'exclusive')).to.throw(TypeError);
    expect(() => {
      (lock as { name: string }).name = 'other';
    }).to.throw(TypeError);
  });
});
