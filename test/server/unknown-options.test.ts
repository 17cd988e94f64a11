import { expect } from 'chai';
import { MemcachedDatastore, RedisDatastore } from '../../lib/datastores/index.ts';
import { LockServer } from '../../lib/server/lock-server.ts';
import { startTestServer } from '../../lib/testing/index.ts';
import { memory } from '../../lib/transports/memory.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { unix } from '../../lib/transports/unix.ts';
import { webSocket } from '../../lib/transports/websocket.ts';

/** As a caller without types passes it. */
const given = <Options>(options: unknown): Options => options as Options;
const where = { host: '127.0.0.1', port: 0, allowed: [] };
const frames = { origins: [], hosts: [], maxMessageBytes: 100 };

const CALLS: readonly [call: string, make: () => unknown, message: string][] = [
  [
    'LockServer',
    () => new LockServer(given({ limit: {} })),
    'options has "limit", which is not known; did you mean limits?',
  ],
  [
    'LockServer with limits',
    () => new LockServer({ limits: given({ maxlocks: 1 }) }),
    'limits has "maxlocks", which is not known; did you mean maxLocks?',
  ],
  ['LockServer with no object', () => new LockServer(given(5)), 'options is 5; expected an object'],
  [
    'LockServer.listen',
    () => new LockServer().listen(memory(), given({ protocol: ['line'] })),
    'options has "protocol", which is not known; did you mean protocols?',
  ],
  [
    'tcp',
    () => tcp(given({ ...where, allow: ['::1'] })),
    'options has "allow", which is not known; did you mean allowed?',
  ],
  [
    'webSocket',
    () => webSocket(given({ ...where, ...frames, origin: [] })),
    'options has "origin", which is not known; did you mean origins?',
  ],
  ['unix', () => unix(given({ path: '/x', x: 1 })), 'options has "x", which is not known; expected path, mode'],
  [
    'RedisDatastore',
    () => new RedisDatastore(given({}), given({ ttl: 5 })),
    'options has "ttl", which is not known; expected ttlSeconds',
  ],
  [
    'MemcachedDatastore',
    () => new MemcachedDatastore(given({ options: {} }), given({ ttl: 5 })),
    'options has "ttl", which is not known; expected ttlSeconds, answerTimeoutMs',
  ],
  [
    'startTestServer',
    () => startTestServer(given({ sockets: true })),
    'options has "sockets", which is not known; did you mean socket?',
  ],
];

describe('an unknown option', () => {
  for (const [call, make, message] of CALLS) {
    it(`is refused by ${call}, by its name`, async () => {
      const error: unknown = await Promise.resolve()
        .then(make)
        .catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(TypeError).and.include({ message });
    });
  }
});
