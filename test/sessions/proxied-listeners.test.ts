import { expect } from 'chai';
import type { LockListenOptions } from '../../lib/foreign/full-lock-server.ts';
import { FramePeer, type Peer, StreamPeer } from '../protocols/peers.ts';
import { TRANSPORTS } from '../protocols/transports.ts';
import { endTest } from '../server/clean-up.ts';
import { type Message, type RawClient, until } from '../server/raw-client.ts';
import { listenOnTcp, makeServer, RunningServer } from '../server/running-server.ts';

const SESSION = { protocol: 1, session: { timeout: 20 } };

async function ask(peer: Peer, command: string, parameters: object = {}): Promise<Message> {
  peer.send([Buffer.from(JSON.stringify({ command, parameters, id: 1 }))]);
  return (JSON.parse(await peer.receive()) as { result: Message }).result;
}

/** Closes the connection as a system does for a program that has gone. */
function vanish(peer: Peer): void {
  if (peer instanceof FramePeer) peer.webSocket.terminate();
  else if (peer instanceof StreamPeer) peer.socket.end();
}

for (const transport of TRANSPORTS) {
  describe(`a proxied listener on ${transport.name}`, () => {
    let peer: Peer;
    let witness: RawClient;

    afterEach(endTest);

    /** Connects a peer to such a listener, and a witness to another one. */
    async function connect(options: LockListenOptions = { proxied: true }): Promise<void> {
      const server = makeServer();
      const { connect } = await transport.listen(server, options);
      peer = await connect(1);
      witness = await new RunningServer(server, await listenOnTcp(server)).connect();
    }

    it('suspends a session whose connection was closed, since that may be the work of the proxy', async () => {
      await connect();
      const { session } = await ask(peer, 'hello', SESSION);
      const { token } = await ask(peer, 'lock', { lockName: 'jobs' });
      vanish(peer);
      await peer.closed;
      await until(async () => (await witness.ask('stats')).suspendedSessions === 1);
      const { id, secret } = session as { id: string; secret: string };
      const { session: resumed } = await witness.ask('hello', { protocol: 1, session: { id, secret, holds: [token] } });
      expect(resumed).to.deep.include({ state: 'resumed', lost: [] });
    });

    it('closes the connection of a suspended session that still waits for answers', async () => {
      await connect();
      await witness.take('jobs');
      const { session } = await ask(peer, 'hello', SESSION);
      peer.send([Buffer.from('{"command":"lock","parameters":{"lockName":"jobs"},"id":7}')]);
      await until(async () => (await witness.ask('stats')).waiting === 1);
      vanish(peer);
      await peer.closed;
      await until(async () => (await witness.ask('stats')).suspendedSessions === 1);
      await witness.ask('unlock', { lockName: 'jobs' });
      const { id, secret } = session as { id: string; secret: string };
      const { session: resumed } = await witness.ask('hello', { protocol: 1, session: { id, secret, requests: [7] } });
      expect(resumed).to.have.nested.property('answers[0].result.status', 'ok');
    });

    it('frees the locks of a client that said bye', async () => {
      await connect();
      await ask(peer, 'hello', SESSION);
      await ask(peer, 'lock', { lockName: 'jobs' });
      await ask(peer, 'bye');
      vanish(peer);
      expect(await witness.ask('lock', { lockName: 'jobs' })).to.include({ status: 'ok' });
    });

    it('frees the locks of a client without a session as soon as its connection is closed', async () => {
      await connect();
      await ask(peer, 'lock', { lockName: 'jobs' });
      await witness.queue(1, 'jobs');
      vanish(peer);
      expect(await witness.next()).to.have.nested.property('result.status', 'ok');
    });

    if (transport.canHalfClose) {
      it('answers a client without a session that has closed its side', async () => {
        await connect();
        (peer as StreamPeer).finish(Buffer.from('{"command":"lock","parameters":{"lockName":"jobs"},"id":1}'));
        expect(await peer.receive()).to.include('"status":"ok"');
        await peer.closed;
      });

      it('ends the session of a closed connection where it is not proxied', async () => {
        await connect({ proxied: false });
        await ask(peer, 'hello', SESSION);
        await ask(peer, 'lock', { lockName: 'jobs' });
        await witness.queue(1, 'jobs');
        vanish(peer);
        expect(await witness.next()).to.have.nested.property('result.status', 'ok');
        expect(await witness.ask('stats')).to.include({ suspendedSessions: 0 });
      });
    } else {
      it('ends the session of a client that closes by a frame, which no proxy sends', async () => {
        await connect();
        await ask(peer, 'hello', SESSION);
        await ask(peer, 'lock', { lockName: 'jobs' });
        await witness.queue(1, 'jobs');
        peer.close();
        expect(await witness.next()).to.have.nested.property('result.status', 'ok');
        expect(await witness.ask('stats')).to.include({ suspendedSessions: 0 });
      });
    }
  });
}
