import { expect } from 'chai';
import type { RawClient } from '../server/raw-client.ts';
import type { CounterServer } from '../support/counter-server.ts';
import { messageScope } from '../support/message-scope.ts';
import { refusalsOf } from '../support/refusals.ts';

const BLOB_BYTES = 32_768;
const SOFT_BYTES = 65_536;
/** 32 MiB of replies, more than sockets buffer. */
const REQUESTS = 1_000;

describe('MessageServer: clients that do not read', () => {
  const scope = messageScope();

  it('pauses a client above the soft limit, serves others, and goes on when it reads', async () => {
    const server = await scope.startServer({ softOutputBytes: SOFT_BYTES });
    const deaf = await scope.connectPeer();
    await deaf.settle();
    deaf.socket.pause();
    const requests = Array.from({ length: REQUESTS }, (_, id) => ({
      command: 'blob',
      parameters: { bytes: BLOB_BYTES },
      id,
    }));
    deaf.send(...requests);
    const bystander = await scope.connectPeer();
    for (let id = 0; id < 100; id += 1) {
      expect(await bystander.request('add', {}, id)).to.have.nested.property('result.count', id + 1);
    }
    expect(server.unsentAtBlob.length).to.be.lessThan(REQUESTS);
    deaf.socket.resume();
    const replies = await deaf.nextMany(REQUESTS);
    expect(replies.map(({ id }) => id)).to.deep.equal(requests.map(({ id }) => id));
    expect(server.unsentAtBlob).to.have.length(REQUESTS);
    expect(Math.max(...server.unsentAtBlob)).to.be.lessThan(SOFT_BYTES);
  });

  it('answers everything even if the client reads only after it has closed its side', async () => {
    const server = await scope.startServer({ softOutputBytes: SOFT_BYTES });
    const deaf = await scope.connectPeer();
    await deaf.settle();
    deaf.socket.pause();
    deaf.send(
      ...Array.from({ length: REQUESTS }, (_, id) => ({ command: 'blob', parameters: { bytes: BLOB_BYTES }, id })),
    );
    deaf.socket.end();
    const bystander = await scope.connectPeer();
    await bystander.settle();
    expect(server.ended).to.deep.equal([]);
    deaf.socket.resume();
    expect((await deaf.rest()).map(({ id }) => id)).to.deep.equal(Array.from({ length: REQUESTS }, (_, id) => id));
  });

  it('cuts off a client that gets too many events, and only that one', async () => {
    const server = await scope.startServer({ softOutputBytes: SOFT_BYTES, hardOutputBytes: 1_048_576 });
    const deaf = await scope.connectPeer();
    const reader = await scope.connectPeer();
    const bystander = await scope.connectPeer();
    for (const peer of [deaf, reader, bystander]) await peer.settle();
    const [deafSession] = server.began;
    deaf.socket.pause();
    let sent = 0;
    for (; sent < REQUESTS && server.ended.length === 0; sent += 1) {
      await bystander.request('broadcast', { bytes: BLOB_BYTES }, sent);
      expect(await reader.next()).to.have.property('event', 'tick');
    }
    expect(server.ended).to.deep.equal([deafSession]);
    deaf.socket.resume();
    expect((await deaf.rest()).length).to.be.lessThan(sent);
    await reader.settle();
    const causes = scope.logger.at('debug').map(({ details }) => details.error);
    expect(causes.filter((cause) => cause !== undefined)).to.deep.equal(['more than 1048576 bytes of unsent output']);
  });

  it('cuts off a client that gets too many events in one turn', async () => {
    const server = await scope.startServer({ hardOutputBytes: 1_048_576 });
    const victim = await scope.connectPeer();
    const bystander = await scope.connectPeer();
    await victim.settle();
    await bystander.request('broadcast', { bytes: BLOB_BYTES, count: REQUESTS }, 1);
    await victim.closed;
    expect(server.ended).to.deep.equal([server.began[0]]);
    await bystander.settle();
  });

  it('does not count the time while the server does not read towards messageTimeoutMs', async () => {
    const server = await scope.startServer({ softOutputBytes: SOFT_BYTES, messageTimeoutMs: 200 });
    const deaf = await scope.connectPeer();
    const bystander = await scope.connectPeer();
    await deaf.settle();
    deaf.socket.pause();
    deaf.write('{"command":"ping"');
    await bystander.request('broadcast', { bytes: BLOB_BYTES, count: 400 }, 1);
    deaf.write(',"id":"whole"}\n');
    const late = await scope.connectPeer();
    late.write('{');
    await late.closed;
    deaf.socket.resume();
    const messages = await deaf.nextMany(401);
    expect(messages.at(-1)).to.deep.equal({ id: 'whole', result: { status: 'ok' } });
    expect(refusalsOf(server.counters)).to.deep.equal({ messageTimeoutMs: 1 });
  });

  describe('totalOutputBytes', () => {
    const TOTAL_BYTES = 1_048_576;
    const limits = { softOutputBytes: SOFT_BYTES, hardOutputBytes: 100_000_000, totalOutputBytes: TOTAL_BYTES };
    /** A reply that sockets do not keep on their own. */
    const MUCH_BYTES = 33_554_432;
    const refusal = { status: 'limit', limit: 'totalOutputBytes', value: TOTAL_BYTES };

    /** A client that has asked for much and does not read it. */
    async function deafPeer(server: CounterServer, bystander: RawClient): Promise<RawClient> {
      const deaf = await scope.connectPeer();
      await deaf.settle();
      deaf.socket.pause();
      deaf.send({ command: 'blob', parameters: { bytes: MUCH_BYTES }, id: 1 });
      while (server.unsentAtBlob.length === 0) await bystander.request('ping', {}, 1);
      return deaf;
    }

    it('refuses pages while clients have left more than that unread, and serves all else', async () => {
      const server = await scope.startServer(limits);
      const bystander = await scope.connectPeer();
      expect(await bystander.request('page', {}, 1)).to.have.nested.property('result.status', 'ok');
      const deaf = await deafPeer(server, bystander);
      expect(await bystander.request('page', {}, 2)).to.deep.equal({ id: 2, result: refusal });
      expect(await bystander.request('add', {}, 3)).to.have.nested.property('result.count', 1);
      deaf.socket.removeAllListeners('data').resume();
      let reply = await bystander.request('page', {}, 4);
      while ((reply.result as { status: string }).status === 'limit') reply = await bystander.request('page', {}, 4);
      expect(reply).to.have.nested.property('result.status', 'ok');
    });

    it('refuses a page whose turn comes only then', async () => {
      const server = await scope.startServer(limits);
      const [asker, bystander] = [await scope.connectPeer(), await scope.connectPeer()];
      asker.send(
        { command: 'page', parameters: { key: 'gate' }, id: 'gate' },
        { command: 'page', parameters: {}, id: 'later' },
      );
      await asker.settle();
      await deafPeer(server, bystander);
      await bystander.request('release', { key: 'gate' }, 1);
      expect(await asker.next()).to.have.property('id', 'gate');
      expect(await asker.next()).to.deep.equal({ id: 'later', result: refusal });
      expect(server.unsentAtPage).to.deep.equal([]);
    });

    it('frees the room of a client that leaves', async () => {
      const server = await scope.startServer(limits);
      const bystander = await scope.connectPeer();
      const deaf = await deafPeer(server, bystander);
      expect(await bystander.request('page', {}, 1)).to.deep.equal({ id: 1, result: refusal });
      deaf.socket.resetAndDestroy();
      await server.until(() => server.ended.length === 1);
      expect(await bystander.request('page', {}, 2)).to.have.nested.property('result.status', 'ok');
    });

    it('cuts off only the client that does not read, when it gets more', async () => {
      const server = await scope.startServer(limits);
      const bystander = await scope.connectPeer();
      await deafPeer(server, bystander);
      await bystander.request('broadcast', { bytes: BLOB_BYTES }, 1);
      await server.until(() => server.ended.length === 1);
      expect(refusalsOf(server.counters)).to.deep.equal({ totalOutputBytes: 1 });
      expect(scope.logger.at('warn')[0]?.message).to.include(`totalOutputBytes, ${TOTAL_BYTES}`);
      await bystander.settle();
    });
  });
});
