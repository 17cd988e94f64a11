import { expect } from 'chai';
import { MessageClient, type MessageClientOptions } from '../../lib/message/message-client.ts';
import { dialTcp } from '../../lib/transports/tcp.ts';
import { ProtocolError, RequestError } from '../../lib/wire/errors.ts';
import { SystemProgram } from '../foreign/system-program.ts';
import type { RawClient } from '../server/raw-client.ts';
import { messageScope } from '../support/message-scope.ts';
import { errorOf } from '../support/rejection.ts';

const FOREVER = { timeoutMs: Number.POSITIVE_INFINITY };

class TalkativeClient extends MessageClient {
  readonly told: string[] = [];

  constructor(options: MessageClientOptions = {}) {
    super(options);
    this.on('close', (error) => this.told.push(error === undefined ? 'close' : 'close with an error'));
  }
}

describe('MessageClient: the end of the connection', () => {
  const scope = messageScope();
  let client: TalkativeClient;
  let peer: RawClient;

  beforeEach(async () => {
    ({ client, peer } = await scope.connectByHand(new TalkativeClient()));
  });

  async function expectLost(calls: Promise<Error & { readonly code?: string }>[]): Promise<void> {
    for (const error of await Promise.all(calls)) {
      expect(error).to.include({ name: 'MessageError', code: 'connectionLost' });
    }
  }

  it('rejects every open call with connectionLost when the server resets the connection', async () => {
    const calls = Array.from({ length: 100 }, () => errorOf(client.rpc('slow', {}, FOREVER)));
    await peer.nextMany(100);
    peer.reset();
    await expectLost(calls);
    const [first] = await Promise.all(calls);
    expect(first?.cause).to.have.property('code', 'ECONNRESET');
    expect(client.told).to.deep.equal(['close with an error']);
    expect(client.state).to.equal('closed');
  });

  it('rejects every open call with connectionLost when the server closes its side', async () => {
    const answered = client.rpc('fast');
    const calls = [errorOf(client.rpc('slow', {}, FOREVER)), errorOf(client.rpc('slow'))];
    await peer.nextMany(3);
    peer.send({ id: 1, result: { status: 'ok' } });
    peer.socket.end();
    expect(await answered).to.deep.equal({ status: 'ok' });
    await expectLost(calls);
    expect(client.told).to.deep.equal(['close']);
    expect((await peer.closed).hasEnded).to.equal(true);
  });

  it('accepts a last result without a newline before the server closes its side', async () => {
    const call = client.rpc('a');
    await peer.next();
    peer.socket.end('{"id":1,"result":{"status":"ok"}}');
    expect(await call).to.deep.equal({ status: 'ok' });
  });

  it('rejects a call that is made after the server closed its side', async () => {
    const lost = new Promise((resolve) => {
      client.on('close', resolve);
    });
    peer.socket.end();
    await lost;
    expect(await errorOf(client.rpc('a'))).to.have.property('code', 'closed');
    client.notify('a');
    await client.close();
    expect(client.told).to.deep.equal(['close']);
  });

  it('rejects open calls with closed when it is closed, after it has sent them', async () => {
    const calls = [errorOf(client.rpc('a', {}, FOREVER)), errorOf(client.rpc('b'))];
    client.notify('c');
    await client.close();
    for (const error of await Promise.all(calls)) {
      expect(error).to.include({ name: 'MessageError', code: 'closed' });
    }
    expect((await peer.rest()).map(({ command }) => command)).to.deep.equal(['a', 'b', 'c']);
    expect((await peer.closed).hasEnded).to.equal(true);
    expect(client.told).to.deep.equal(['close']);
  });

  it('can be closed twice, at once and later', async () => {
    const states = [client.close(), client.close()].map(async (closed) => {
      await closed;
      return client.state;
    });
    expect(await Promise.all(states)).to.deep.equal(['closed', 'closed']);
    await client.close();
    expect(client.told).to.deep.equal(['close']);
  });

  it('rejects calls with closed before it was connected, while it closes and afterwards', async () => {
    const fresh = new MessageClient();
    expect(await errorOf(fresh.rpc('a'))).to.include({ name: 'MessageError', code: 'closed' });
    fresh.notify('a');
    const closing = client.close();
    expect(await errorOf(client.rpc('a'))).to.have.property('code', 'closed');
    await closing;
    expect(await errorOf(client.rpc('a'))).to.have.property('code', 'closed');
    client.notify('a');
    expect(await peer.rest()).to.deep.equal([]);
  });

  it('reports messages that it does not understand and goes on', async () => {
    const errors: Error[] = [];
    client.on('error', (error) => errors.push(error));
    const call = client.rpc('a');
    await peer.next();
    peer.write('nonsense\n[]\n7\nnull\n"text"\n{"id":"1","result":{}}\n{"id":99,"result":{"status":"ok"}}\n{}\n');
    peer.send({ error: { status: 'invalid', message: 'id 1 is in flight' } }, { id: 1, result: { status: 'ok' } });
    expect(await call).to.deep.equal({ status: 'ok' });
    expect(errors.slice(0, 5).map((error) => error instanceof RequestError)).to.deep.equal(Array(5).fill(true));
    expect(errors.slice(5).map(({ message }) => message)).to.deep.equal(['id 1 is in flight']);
    expect(client.state).to.equal('open');
  });

  it('goes on when nobody listens to its errors', async () => {
    const call = client.rpc('a');
    peer.write('nonsense\n{"id":1,"result":{"status":"ok"}}\n');
    expect(await call).to.deep.equal({ status: 'ok' });
  });

  it('rejects a call if its reply has neither result nor error', async () => {
    for (const reply of [{}, { result: null }, { result: 'ok' }, { error: 'bad' }, { result: [] }]) {
      const call = errorOf(client.rpc('a'));
      const { id } = await peer.next();
      peer.send({ id, ...reply });
      expect(await call, JSON.stringify(reply)).to.include({ name: 'MessageError', code: 'internal' });
    }
  });

  it('is given up when a message of the server is too long', async () => {
    const { client: careful, peer: other } = await scope.connectByHand(new TalkativeClient({ maxMessageBytes: 100 }));
    const errors: Error[] = [];
    careful.on('error', (error) => errors.push(error));
    const call = errorOf(careful.rpc('a', {}, FOREVER));
    await other.next();
    other.write(`{"id":1,"result":{"status":"${'x'.repeat(100)}"}}\n{"id":1,"result":{"status":"ok"}}\n`);
    await expectLost([call]);
    expect(errors).to.have.length(1);
    expect(errors[0]).to.be.instanceOf(ProtocolError);
    expect((await call).cause).to.equal(errors[0]);
    expect(careful.told).to.deep.equal(['close with an error']);
    expect(careful.state).to.equal('closed');
  });

  it('is given up when the server does not read', async () => {
    const { client: full, peer: deaf } = await scope.connectByHand(new TalkativeClient({ maxUnsentBytes: 1_000_000 }));
    deaf.socket.pause();
    const calls = Array.from({ length: 100 }, () => errorOf(full.rpc('a', { text: 'x'.repeat(100_000) }, FOREVER)));
    await expectLost(calls.slice(0, 10));
    expect(full.told).to.deep.equal(['close with an error']);
    for (const error of await Promise.all(calls)) expect(error.code).to.be.oneOf(['connectionLost', 'closed']);
  });
});

describe('MessageClient and MessageServer in processes of their own', () => {
  const scope = messageScope();

  /** Runs a script, and returns the line that it prints when it is ready. */
  async function run(script: string): Promise<[SystemProgram, string]> {
    const program = new SystemProgram(process.execPath, ['--input-type=module', '-e', script]);
    return [program, await program.nextLine()];
  }

  const modules = new URL('../../lib/', import.meta.url).href;

  it('a call ends with connectionLost when the server is killed', async () => {
    const [child, port] = await run(`
      import { createServer } from 'node:net';
      const server = createServer((socket) => socket.on('data', () => {}));
      server.listen(0, '127.0.0.1', () => console.log(server.address().port));
    `);
    const client = new MessageClient();
    await client.connect(dialTcp({ host: '127.0.0.1', port: Number(port) }));
    const call = errorOf(client.rpc('a', {}, FOREVER));
    child.signal('SIGKILL');
    expect(await call).to.have.property('code', 'connectionLost');
  });

  it('a session ends when its client is killed', async () => {
    const server = await scope.startServer();
    const [child] = await run(`
      import { MessageClient } from '${modules}message/message-client.js';
      import { dialTcp } from '${modules}transports/tcp.js';
      const client = new MessageClient();
      await client.connect(dialTcp({ host: '127.0.0.1', port: ${scope.address.split(':').at(-1)} }));
      client.rpc('wait', { key: 'a' });
      await client.rpc('echo');
      console.log('ready');
    `);
    expect(server.waitCount).to.equal(1);
    child.signal('SIGKILL');
    await server.until(() => server.ended.length === 1);
    expect(server.waitCount).to.equal(0);
  });

  it('a closed client does not keep its process alive', async () => {
    await scope.startServer();
    const [child] = await run(`
      import { MessageClient } from '${modules}message/message-client.js';
      import { dialTcp } from '${modules}transports/tcp.js';
      const client = new MessageClient();
      await client.connect(dialTcp({ host: '127.0.0.1', port: ${scope.address.split(':').at(-1)} }));
      await client.rpc('echo', {}, { signal: new AbortController().signal });
      client.rpc('wait', { key: 'a' }).catch(() => {});
      await client.close();
      console.log('closed');
    `);
    expect((await child.exit).code).to.equal(0);
  });
});
