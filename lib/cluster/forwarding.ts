/** One connection that a standby passes on to the leader, byte by byte, both ways. */

import { Buffer } from 'node:buffer';
import type { ByteSink, ByteStream } from '../message/byte-stream.ts';
import { LineSplitter } from '../wire/line-splitter.ts';

const OPENING_BRACE = 0x7b;

/** What a forwarded connection may use. */
export interface ForwardingLimits {
  /** Above this much unread output the other side is not read. */
  readonly softOutputBytes: number;
  /** The longest answer for a client whose messages are frames. */
  readonly hardOutputBytes: number;
}

/** Copies what comes from one side to the other, no faster than the other reads. */
class Copying implements ByteSink {
  readonly #from: ByteStream;
  readonly #to: ByteStream;
  readonly #limits: ForwardingLimits;
  readonly #write: (bytes: Buffer) => void;
  #isWaiting = false;

  constructor(from: ByteStream, to: ByteStream, limits: ForwardingLimits, write: (bytes: Buffer) => void) {
    this.#from = from;
    this.#to = to;
    this.#limits = limits;
    this.#write = write;
  }

  data(bytes: Uint8Array, end: number = bytes.length): void {
    this.#write(Buffer.from(bytes.buffer, bytes.byteOffset, end));
    if (this.#to.unsentBytes <= this.#limits.softOutputBytes || this.#isWaiting) return;
    this.#isWaiting = true;
    this.#from.pause();
    this.#to.whenDrained(() => {
      this.#isWaiting = false;
      this.#from.resume();
    });
  }

  ended(): void {
    this.#to.end();
  }

  /** An end without a word is no end of the client: the leader must not take it for one. */
  closed(): void {
    (this.#to.reset ?? this.#to.destroy).call(this.#to);
  }
}

/**
 * Joins a client and the leader. Returns what receives the client's bytes from now on; those of the leader are read here. A client
 * whose messages are frames gets one frame for each line.
 */
export function join(client: ByteStream, leader: ByteStream, limits: ForwardingLimits, over: () => void): ByteSink {
  const fromClient = new Copying(client, leader, limits, (bytes) => leader.write(bytes.toString('latin1'), 'latin1'));
  const toClient = client.isFramed ? framesOf(client, limits) : (bytes: Buffer) => writeBytes(client, bytes);
  const fromLeader = new Copying(leader, client, limits, toClient);
  leader.start({
    data: (bytes, end) => fromLeader.data(bytes, end),
    ended: () => fromLeader.ended(),
    closed: () => {
      fromLeader.closed();
      over();
    },
  });
  return fromClient;
}

function writeBytes(stream: ByteStream, bytes: Buffer): void {
  stream.write(bytes.toString('latin1'), 'latin1');
}

/** The leader ends messages with a line break, also those that would be frames without one. */
function framesOf(client: ByteStream, { hardOutputBytes }: ForwardingLimits): (bytes: Buffer) => void {
  const lines = new LineSplitter(hardOutputBytes);
  return (bytes) => {
    lines.push(bytes);
    for (let line = lines.nextLine(); line !== undefined; line = lines.nextLine()) {
      if (line === 'tooLong') client.destroy();
      else client.write(frameOf(line), 'latin1');
    }
  };
}

function frameOf(line: Uint8Array): string {
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString('latin1');
  return line[0] === OPENING_BRACE ? text : `${text}\n`;
}
