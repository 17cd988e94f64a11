import { expect } from 'chai';
import { MemcachedDatastore, RedisDatastore } from '../../lib/datastores/index.ts';
import { LockServer } from '../../lib/server/lock-server.ts';
import { startTestServer } from '../../lib/testing/index.ts';
import { memory } from '../../lib/transports/memory.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { unix } from '../../lib/transports/unix.ts';
import { webSocket } from '../../lib/transports/websocket.ts';

/** Passes a value like a caller in JavaScript. */
const given = <Options>(options: unknown): Options => options as Options;
const where = { host: '127.0.0.1', port: 0, allowed: [] };
const frames = { origins: [], hosts: [], maxMessageBytes: 100 };

const CALLS: readonly [call: string, make: () => unknown, message: string][] = [
  ['LockServer', () => new LockServer(given({ limit: {} })), unknown('limit', 'did you mean limits?')],
  [
    'LockServer with limits',
    () => new LockServer({ limits: given({ maxlocks: 1 }) }),
    'limits has "maxlocks", which is not known; did you mean maxLocks?',
  ],
  ['LockServer with no object', () => new LockServer(given(5)), 'options is 5; expected an object'],
  [
    'LockServer.listen',
    () => new LockServer().listen(memory(), given({ protocol: ['line'] })),
    unknown('protocol', 'did you mean protocols?'),
  ],
  ['tcp', () => tcp(given({ ...where, allow: ['::1'] })), unknown('allow', 'did you mean allowed?')],
  [
    'webSocket',
    () => webSocket(given({ ...where, ...frames, origin: [] })),
    unknown('origin', 'did you mean origins?'),
  ],
  ['unix', () => unix(given({ path: '/x', x: 1 })), unknown('x', 'expected path, mode, owner, group')],
  ['RedisDatastore', () => new RedisDatastore(given({}), given({ ttl: 5 })), unknown('ttl', 'expected ttlSeconds')],
  [
    'MemcachedDatastore',
    () => new MemcachedDatastore(given({ options: {} }), given({ ttl: 5 })),
    unknown('ttl', 'expected ttlSeconds, answerTimeoutMs'),
  ],
  ['startTestServer', () => startTestServer(given({ sockets: true })), unknown('sockets', 'did you mean socket?')],
];

function unknown(option: string, advice: string): string {
  return `options has "${option}", which is not known; ${advice}`;
}

describe('an unknown option', () => {
  for (const [call, make, message] of CALLS) {
    it(`is refused by ${call}, and the error names it`, async () => {
      const error: unknown = await Promise.resolve()
        .then(make)
        .catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(TypeError).and.include({ message });
    });
  }
});
