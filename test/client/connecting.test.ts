import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { LockClosedError, LockError } from '../../lib/client/lock-error.ts';
import type { MessageConnection } from '../../lib/message/message-connection.ts';
import { MessageError } from '../../lib/message/message-error.ts';
import { MessageServer } from '../../lib/message/message-server.ts';
import { MessageSession } from '../../lib/message/message-session.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { unix } from '../../lib/transports/unix.ts';
import { endTest, makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { portOf, startServer } from '../server/running-server.ts';
import { freePort } from '../support/free-port.ts';
import { rejection, rejects } from '../support/rejection.ts';
import { listen } from './plain-listener.ts';

/** A message server that keeps no locks. */
class TimeServer extends MessageServer {
  constructor() {
    super({ commands: { time: { parameters: {} } } });
  }

  commandTime(): object {
    return { status: 'ok', time: Date.now() };
  }

  protected override createSession(connection: MessageConnection): MessageSession {
    return new MessageSession(connection);
  }
}

describe('connecting to a lock server', () => {
  afterEach(endTest);

  it('sends the name of the client, or by default its script, host and process', async () => {
    const server = await startServer();
    const named = await server.client({ name: 'Ann' });
    const nameless = await server.client();
    expect((await nameless.stats()).requests.hello).to.equal(2);
    expect((await named.rpc('whoami')).name).to.equal('Ann');
    expect((await nameless.rpc('whoami')).name).to.match(new RegExp(`^.+@${hostname()}:${process.pid}$`));
    expect(named.state).to.equal('connected');
  });

  it('sends no default name if it is too long for the server', async () => {
    const client = await (await startServer({ maxClientNameBytes: 3 })).client();
    expect((await client.rpc('whoami')).name).to.equal('');
  });

  it('works through a Unix socket', async () => {
    const server = await startServer();
    const path = join(makeFolder(), 'socket');
    await server.server.listen(unix({ path }));
    const client = await server.client({ path, port: 1 });
    const handle = await client.lock('jobs');
    expect((await (await server.client()).inspect('jobs')).holders[0]?.token).to.equal(handle.token);
    expect(await handle.release()).to.equal(true);
    await client.close();
  });

  it('fails with the error of the system if nobody listens there', async () => {
    const port = await freePort();
    expect(await rejection(LockClient.connect({ port }))).to.include({ code: 'ECONNREFUSED' });
    expect(await rejection(LockClient.connect({ host: 'x'.repeat(300), port }))).to.include({
      syscall: 'getaddrinfo',
    });
    expect(await rejection(LockClient.connect({ path: '/no/such/socket' }))).to.include({ code: 'ENOENT' });
  });

  it('fails with a LockError of the code protocol when the server knows other messages', async () => {
    const server = new TimeServer();
    whenTestEnds(() => server.close());
    const port = portOf(await server.listen(tcp({ host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] })));
    const message = 'the server did not accept the greeting: command is "hello"';
    await rejects(LockClient.connect({ port }), LockError, { code: 'protocol', message });
    expect(server.counters.connections).to.equal(1);
  });

  it('fails with a LockError of the code protocol when the server speaks another protocol', async () => {
    const greeting = '{"id":1,"result":{"status":"ok","protocol":2}}\n';
    const port = await listen((socket) => socket.on('data', () => socket.write(greeting)));
    await rejects(LockClient.connect({ port }), LockError, { code: 'protocol' });
  });

  it('fails if the server closes the connection, even if it sends something before', async () => {
    const protocol = ['HTTP/1.1 400 Bad Request\r\n\r\n', '220 mail ready\r\n', '{"event":5}\n[]\nnull\n'];
    for (const text of ['', ...protocol]) {
      const port = await listen((socket) => socket.end(text));
      const error = await rejection(LockClient.connect({ port }));
      expect(error, text).to.include({ code: text === '' ? 'connectionLost' : 'protocol' });
    }
  });

  it('ends with close: every call afterwards fails with the code closed', async () => {
    const server = await startServer();
    const client = await server.client();
    await client.close();
    for (const call of [client.lock('a'), client.tryLock('a'), client.lockAll(['a'])]) {
      await rejects(call, LockClosedError, { code: 'closed' });
    }
    for (const call of [client.inspect('a'), client.list(), client.stats(), client.connect()]) {
      await rejects(call, MessageError, { code: 'closed' });
    }
    expect(client.state).to.equal('closed');
  });
});
