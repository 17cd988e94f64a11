import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import type { MessageSession } from '../../lib/message/message-session.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { RawClient, until } from '../server/raw-client.ts';
import { LOOPBACK } from '../server/running-server.ts';
import { CounterServer } from '../support/counter-server.ts';
import { parseAddress } from '../support/parse-address.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { workLong } from '../support/work-long.ts';
import { handshake } from '../transports/web-socket-scene.ts';

const MESSAGES = 100;
const PEERS = 20;

const ADD = '{"command":"add"}';
/** Masked with zeros. */
const ADD_FRAME = Buffer.from([0x81, 0x80 | ADD.length, 0, 0, 0, 0, ...Buffer.from(ADD)]);

/** A connection whose handshake of WebSocket is over. */
async function upgraded(address: string): Promise<Socket> {
  const socket = connect(parseAddress(address));
  whenTestEnds(() => socket.destroy());
  socket.write(handshake());
  await once(socket, 'data');
  return socket.resume();
}

/** Takes long for each message and for the end of each client. */
class SlowServer extends CounterServer {
  override commandAdd(session: MessageSession, parameters: { amount?: number }): object {
    workLong();
    return super.commandAdd(session, parameters);
  }

  protected override sessionEnded(session: MessageSession): void {
    workLong();
    super.sessionEnded(session);
  }
}

describe('MessageServer: what takes long when it comes together', () => {
  let server: SlowServer;
  let address: string;

  beforeEach(async () => {
    server = new SlowServer({ limits: {}, logger: new RecordingLogger() });
    whenTestEnds(() => server.close());
    address = await server.listen(tcp(LOOPBACK));
  });
  afterEach(endTest);

  for (const [what, count] of [
    ['many messages', MESSAGES],
    ['several messages in a small packet', 12],
  ] as const) {
    it(`leaves time for others between ${what}`, async () => {
      const peer = await RawClient.connect(address);
      peer.write('{"command":"add"}\n'.repeat(count));
      await until(() => server.count > 0);
      expect(server.count).to.be.lessThan(count);
      await until(() => server.count === count);
    });
  }

  it('leaves time for others between small packets of WebSocket that have several frames each', async () => {
    const where = await server.listen(webSocket({ ...LOOPBACK, origins: [], hosts: [], maxMessageBytes: 1_000 }));
    const sockets = await Promise.all(Array.from({ length: PEERS }, () => upgraded(where)));
    for (const socket of sockets) socket.write(Buffer.concat([ADD_FRAME, ADD_FRAME, ADD_FRAME]));
    await until(() => server.count > 0);
    expect(server.count).to.be.lessThan(3 * PEERS);
    await until(() => server.count === 3 * PEERS);
  });

  it('leaves time for others between the ends of many clients', async () => {
    const peers = await Promise.all(Array.from({ length: PEERS }, () => RawClient.connect(address)));
    await Promise.all(peers.map((peer) => peer.settle()));
    for (const peer of peers) peer.socket.end();
    await until(() => server.ended.length > 0);
    expect(server.ended.length).to.be.lessThan(PEERS);
    await until(() => server.ended.length === PEERS);
  });
});
