import { once } from 'node:events';
import { type AddressInfo, connect, createServer, Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { PacedInput } from '../../lib/transports/paced-input.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';

const BYTES = 300_000;
const WORK_MS = 1;
/** More than all sockets together may take of a turn. */
const LONG_WORK_MS = 5;

const isOne = (): boolean => true;
const MAX_PIECES_A_TURN = 20;

describe('paced input', () => {
  let near: Socket;
  let far: Socket;
  let received: Buffer[];

  beforeEach(async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    far = connect((server.address() as AddressInfo).port, '127.0.0.1');
    [near] = (await once(server, 'connection')) as [Socket];
    received = [];
    near.on('data', (bytes: Buffer) => received.push(bytes));
    whenTestEnds(() => {
      near.destroy();
      far.destroy();
      server.close();
    });
  });
  afterEach(endTest);

  const sent = Buffer.from(Array.from({ length: BYTES }, (_, index) => index % 251));
  const countReceived = (): number => received.reduce((sum, { length }) => sum + length, 0);

  async function receiveAll(): Promise<void> {
    while (countReceived() < BYTES) await nextTurn();
    expect(Buffer.concat(received).equals(sent)).to.equal(true);
  }

  it('lets others have their turn when it takes long', async () => {
    const work = (): void => {
      const endMs = performance.now() + WORK_MS;
      while (performance.now() < endMs);
    };
    new PacedInput(near, work, isOne);
    far.write(sent);
    let [most, before] = [0, 0];
    while (countReceived() < BYTES) {
      await nextTurn();
      most = Math.max(most, received.length - before);
      before = received.length;
    }
    expect(most).to.be.within(1, MAX_PIECES_A_TURN);
    await receiveAll();
  });

  it('passes all on in order, however often it is paused', async () => {
    let turn = 0;
    const input: PacedInput = new PacedInput(
      near,
      () => {
        turn += 1;
        if (turn % 3 === 0) return;
        input.pause();
        if (turn % 2 === 0) input.resume();
        else setImmediate(() => input.resume());
      },
      isOne,
    );
    far.write(sent);
    await receiveAll();
  });

  it('passes nothing on while it is paused', async () => {
    const input: PacedInput = new PacedInput(near, () => input.pause(), isOne);
    far.write(sent);
    while (received.length === 0) await nextTurn();
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    expect(received).to.have.length(1);
    while (countReceived() < BYTES) {
      input.resume();
      await nextTurn();
    }
    await receiveAll();
  });

  it('passes several small messages on when the turn has time for them, and a single one at once', () => {
    const read: string[] = [];
    for (const [name, isOneMessage] of [
      ['long', isOne],
      ['several', (): boolean => false],
      ['single', isOne],
    ] as const) {
      const socket = new Socket();
      new PacedInput(
        socket,
        () => {
          read.push(name);
          const endMs = performance.now() + LONG_WORK_MS;
          while (performance.now() < endMs);
        },
        isOneMessage,
      );
      socket.emit('data', Buffer.alloc(name === 'long' ? 600 : 100));
    }
    expect(read).to.include('single').and.not.include('several');
  });

  it('drops the rest when the socket is destroyed', async () => {
    new PacedInput(near, () => near.destroy(), isOne);
    far.on('error', () => {});
    far.write(sent);
    while (received.length === 0) await nextTurn();
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    expect(received).to.have.length(1);
  });
});
