import { join } from 'node:path';
import { expect } from 'chai';
import type { ByteSink, ByteStream, Dialer, Listener, ListenerEvents } from '../../lib/message/byte-stream.ts';
import { memory } from '../../lib/transports/memory.ts';
import { dialTcp, tcp } from '../../lib/transports/tcp.ts';
import { dialUnix, unix } from '../../lib/transports/unix.ts';
import { endTest, makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { LOOPBACK } from '../server/running-server.ts';
import { parseAddress } from '../support/parse-address.ts';
import { rejection } from '../support/rejection.ts';
import { serverIdentity } from './certificates.ts';

/** More than the buffers of any system take. */
const MUCH = 32 * 1_048_576;

const NO_EVENTS: ListenerEvents = { accepted: () => {}, refused: () => {}, failed: () => {} };

/** How to listen on each transport, and to connect to the address. */
const TRANSPORTS: Readonly<Record<string, () => { listener: Listener; dialerOf: (address: string) => Dialer }>> = {
  TCP: () => ({
    listener: tcp(LOOPBACK),
    dialerOf: (address) => dialTcp(parseAddress(address)),
  }),
  'a Unix socket': () => {
    const folder = makeFolder();
    return { listener: unix({ path: join(folder, 'lock.sock') }), dialerOf: (path) => dialUnix({ path }) };
  },
  TLS: () => {
    const { tls, ca } = serverIdentity();
    return {
      listener: tcp({ ...LOOPBACK, tls }),
      dialerOf: (address) => dialTcp({ ...parseAddress(address), tls: { ca } }),
    };
  },
  memory: () => {
    const listener = memory();
    return { listener, dialerOf: () => listener.dial };
  },
};

/** One side of a connection, and its events. */
class Side implements ByteSink {
  readonly stream: ByteStream;
  readonly told: string[] = [];
  text = '';

  constructor(stream: ByteStream) {
    this.stream = stream;
    stream.start(this);
    whenTestEnds(() => stream.destroy());
  }

  data(bytes: Uint8Array, end?: number): void {
    this.text += Buffer.from(bytes.subarray(0, end)).toString('latin1');
  }

  ended(): void {
    this.told.push('ended');
  }

  closed(): void {
    this.told.push('closed');
  }
}

for (const [transport, make] of Object.entries(TRANSPORTS)) {
  describe(`a stream of bytes on ${transport}`, () => {
    let listener: Listener;
    let dial: Dialer;
    let accepted: ByteStream[];
    let near: Side;
    let far: Side;

    beforeEach(async () => {
      const made = make();
      listener = made.listener;
      whenTestEnds(() => listener.close());
      accepted = [];
      const address = await listener.open({ ...NO_EVENTS, accepted: (stream) => accepted.push(stream) });
      dial = made.dialerOf(address);
      near = new Side(await dial(new AbortController().signal));
      await until(() => accepted.length === 1);
      far = new Side(accepted[0] as ByteStream);
    });
    afterEach(endTest);

    /** Both ends of a second connection, which nobody reads yet. */
    async function openSecond(): Promise<[ByteStream, ByteStream]> {
      const stream = await dial(new AbortController().signal);
      await until(() => accepted.length === 2);
      return [stream, accepted[1] as ByteStream];
    }

    it('brings bytes to the other side, in order, and never in the same turn', async () => {
      near.stream.write('é', 'utf8');
      near.stream.write('', 'utf8');
      near.stream.write('\xe9', 'latin1');
      far.stream.write('back', 'utf8');
      expect(far.text + near.text).to.equal('');
      await until(() => far.text.length === 3 && near.text.length === 4);
      expect([far.text, near.text]).to.deep.equal(['\xc3\xa9\xe9', 'back']);
    });

    it('hands what comes from then on to the sink of a second start', async () => {
      far.stream.write('first', 'utf8');
      await until(() => near.text === 'first');
      const next = new Side(near.stream);
      far.stream.write('second', 'utf8');
      await until(() => next.text === 'second');
      far.stream.end();
      await until(() => next.told.includes('ended'));
      expect([near.text, ...near.told]).to.deep.equal(['first']);
    });

    it('keeps input until somebody reads', async () => {
      const [early, reader] = await openSecond();
      early.write('early', 'utf8');
      early.end();
      await new Promise<void>((resolve) => far.stream.whenDrained(resolve));
      const late = new Side(reader);
      await until(() => late.told.length === 1);
      expect(late.text).to.equal('early');
      new Side(early);
    });

    it('keeps input until the connecting side reads', async () => {
      const [early, other] = await openSecond();
      new Side(other).stream.write('early', 'utf8');
      // This is read into the same buffer meanwhile.
      far.stream.write('meanwhile', 'utf8');
      await until(() => near.text === 'meanwhile');
      const late = new Side(early);
      await until(() => late.text !== '');
      expect([late.text, near.text]).to.deep.equal(['early', 'meanwhile']);
    });

    it('goes on in one direction when the other has ended, and closes when both have', async () => {
      near.stream.write('last', 'utf8');
      near.stream.end();
      await until(() => far.told.length === 1);
      expect([far.text, far.told, near.told]).to.deep.equal(['last', ['ended'], []]);
      far.stream.write('answer', 'utf8');
      await until(() => near.text === 'answer');
      expect(near.told).to.deep.equal([]);
      far.stream.end();
      await until(() => near.told.length === 2 && far.told.length === 2);
      for (const { told } of [near, far]) expect(told).to.deep.equal(['ended', 'closed']);
    });

    it('passes on neither bytes nor the end while it is paused', async () => {
      far.stream.pause();
      near.stream.write('bytes', 'utf8');
      near.stream.end();
      // By the time that these bytes have arrived, the others could have arrived, too.
      far.stream.write('bystander', 'utf8');
      await until(() => near.text === 'bystander');
      expect([far.text, far.told]).to.deep.equal(['', []]);
      far.stream.resume();
      await until(() => far.told.length === 1);
      expect(far.text).to.equal('bytes');
    });

    it('can be paused by its reader between two chunks', async () => {
      let chunks = 0;
      const [early, reader] = await openSecond();
      reader.start({
        data: () => {
          chunks += 1;
          reader.pause();
        },
        ended: () => {},
        closed: () => {},
      });
      whenTestEnds(() => reader.destroy());
      const writer = new Side(early);
      early.write('x'.repeat(MUCH / 2), 'latin1');
      early.write('x'.repeat(MUCH / 2), 'latin1');
      await until(() => chunks === 1);
      far.stream.write('bystander', 'utf8');
      await until(() => near.text === 'bystander');
      expect(chunks).to.equal(1);
      expect(writer.stream.unsentBytes).to.be.greaterThan(0);
    });

    it('counts the bytes that the other side has not taken, and calls back when it has', async () => {
      const called: string[] = [];
      far.stream.pause();
      near.stream.write('x'.repeat(MUCH), 'latin1');
      near.stream.whenDrained(() => called.push(`drained, ${near.stream.unsentBytes} unsent`));
      expect(near.stream.unsentBytes).to.be.greaterThan(0);
      far.stream.write('bystander', 'utf8');
      await until(() => near.text === 'bystander');
      expect(called).to.deep.equal([]);
      far.stream.resume();
      await until(() => called.length === 1);
      expect(called).to.deep.equal(['drained, 0 unsent']);
      await until(() => far.text.length === MUCH);
    });

    it('calls back in a later turn even if nothing was written', async () => {
      let isDrained = false;
      const drained = new Promise<void>((resolve) =>
        near.stream.whenDrained(() => {
          isDrained = true;
          resolve();
        }),
      );
      expect(isDrained).to.equal(false);
      await drained;
    });

    it('closes on both sides when it is destroyed, and never in the same turn', async () => {
      near.stream.destroy();
      near.stream.destroy();
      expect(near.told).to.deep.equal([]);
      await until(() => near.told.length === 1 && far.told.length > 0);
      expect(near.told).to.deep.equal(['closed']);
      // A system may report the end first, and then waits for the end of the other side.
      far.stream.end();
      await until(() => far.told.includes('closed'));
      expect(far.told.filter((what) => what === 'closed')).to.have.length(1);
    });

    it('closes when it is reset, which is no end for the other side if there are resets', async () => {
      near.stream.reset?.();
      if (near.stream.reset === undefined) near.stream.destroy();
      await until(() => far.told.length > 0 && near.told.length > 0);
      if (transport === 'TCP') expect(far.told).to.deep.equal(['closed']);
      near.stream.reset?.();
      expect(near.told).to.deep.equal(['closed']);
    });

    it('does not call back about a write when it is destroyed before', async () => {
      let isDrained = false;
      far.stream.pause();
      near.stream.write('x'.repeat(MUCH), 'latin1');
      near.stream.whenDrained(() => {
        isDrained = true;
      });
      near.stream.destroy();
      await until(() => near.told.length === 1);
      expect(isDrained).to.equal(false);
    });

    it('stays open when the listener is closed, and the listener opens no other', async () => {
      await listener.close();
      expect(await rejection(dial(new AbortController().signal)))
        .to.have.property('code')
        .that.is.oneOf(['ECONNREFUSED', 'ENOENT']);
      near.stream.write('still there', 'utf8');
      await until(() => far.text === 'still there');
    });

    it('does not open when the signal aborts before', async () => {
      const reason = new Error('changed my mind');
      expect(await rejection(dial(AbortSignal.abort(reason)))).to.equal(reason);
      const controller = new AbortController();
      const opening = rejection(dial(controller.signal));
      controller.abort(reason);
      expect(await opening).to.equal(reason);
    });
  });
}

describe('memory', () => {
  afterEach(endTest);

  it('cannot be opened twice', async () => {
    const listener = memory();
    expect(await listener.open(NO_EVENTS)).to.equal('memory');
    expect(await rejection(listener.open(NO_EVENTS))).to.include({ code: 'EADDRINUSE' });
  });

  it('is refused before anybody listens', async () => {
    expect(await rejection(memory().dial(new AbortController().signal))).to.include({ code: 'ECONNREFUSED' });
  });

  it('loses unread bytes when it is destroyed, and reports a reset', async () => {
    const listener = memory();
    const streams: ByteStream[] = [];
    await listener.open({ ...NO_EVENTS, accepted: (stream) => streams.push(stream) });
    const near = await listener.dial(new AbortController().signal);
    const far = streams[0] as ByteStream;
    near.write('lost', 'utf8');
    near.destroy();
    let text = '';
    const error = await new Promise((resolve) =>
      far.start({
        data: (bytes, end) => {
          text += String(bytes.subarray(0, end));
        },
        ended: () => {},
        closed: resolve,
      }),
    );
    expect(error).to.include({ code: 'ECONNRESET' });
    expect([text, near.unsentBytes]).to.deep.equal(['', 0]);
    expect([far.peer, near.peer, near.localAddress]).to.deep.equal(['memory:1', 'memory', 'memory:1']);
  });
});
