/** Connections within one process, without a socket, for tests. Data arrives in a later turn, as from a real socket. */

import type { ByteSink, ByteStream, Listener, ListenerEvents, StreamEncoding } from '../message/byte-stream.ts';

/** The client's side of a connection. */
export interface MemoryConnection extends ByteStream {
  /** The server's name for the connection. */
  readonly localAddress: string;
}

/** A listener that only its own dialer reaches. */
export interface MemoryListener extends Listener {
  /** Connects; rejects with `ECONNREFUSED` while nobody listens, or with the signal's reason. */
  readonly dial: (signal: AbortSignal) => Promise<MemoryConnection>;
  /** Counts everything that happens on the connections. While it grows, something is still in transit. */
  readonly activity: number;
}

/**
 * Listens in this process. The server sees the connections as `memory:1`, `memory:2` and so on. There are no system
 * buffers: bytes stay unsent until the other side reads them. They are lost when either side destroys the connection,
 * which the other side sees as `ECONNRESET`. Connections do not keep the process alive.
 */
export function memory(): MemoryListener {
  return new Memory();
}

const ADDRESS = 'memory';

class Memory implements MemoryListener {
  readonly #log: ActivityLog = { activity: 0 };
  #state: 'new' | 'open' | 'closed' = 'new';
  #events: ListenerEvents | undefined;
  #connections = 0;

  get activity(): number {
    return this.#log.activity;
  }

  open(events: ListenerEvents): Promise<string> {
    if (this.#state !== 'new') return Promise.reject(systemError('EADDRINUSE', 'the listener was opened before'));
    this.#state = 'open';
    this.#events = events;
    return Promise.resolve(ADDRESS);
  }

  close(): Promise<void> {
    this.#state = 'closed';
    return Promise.resolve();
  }

  readonly dial = async (signal: AbortSignal): Promise<MemoryConnection> => {
    signal.throwIfAborted();
    this.#log.activity += 1;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    signal.throwIfAborted();
    if (this.#state !== 'open') throw systemError('ECONNREFUSED', `nobody listens at ${ADDRESS}`);
    this.#connections += 1;
    const { near, far } = new Connection(`${ADDRESS}:${this.#connections}`, this.#log);
    this.#events?.accepted(far);
    return near;
  };
}

interface ActivityLog {
  activity: number;
}

/** The two sides of a connection, which end together. */
class Connection {
  readonly near: MemoryStream;
  readonly far: MemoryStream;
  readonly #pipes: readonly Pipe[];

  constructor(localAddress: string, log: ActivityLog) {
    const [toFar, toNear] = [new Pipe(log), new Pipe(log)];
    this.#pipes = [toFar, toNear];
    this.near = new MemoryStream({ peer: ADDRESS, localAddress, incoming: toNear, outgoing: toFar, connection: this });
    this.far = new MemoryStream({
      peer: localAddress,
      localAddress: ADDRESS,
      incoming: toFar,
      outgoing: toNear,
      connection: this,
    });
  }

  /** Called when one side has read all data of the other and its end. */
  endWasRead(): void {
    if (this.#pipes.every(({ state }) => state === 'read')) this.#close(undefined, undefined);
  }

  reset(by: MemoryStream): void {
    const failure = systemError('ECONNRESET', 'the other side closed the connection');
    if (by === this.near) this.#close(undefined, failure);
    else this.#close(failure, undefined);
  }

  #close(nearFailure: Error | undefined, farFailure: Error | undefined): void {
    for (const pipe of this.#pipes) pipe.close();
    this.near.closed(nearFailure);
    this.far.closed(farFailure);
  }
}

interface StreamParts {
  readonly peer: string;
  readonly localAddress: string;
  readonly incoming: Pipe;
  readonly outgoing: Pipe;
  readonly connection: Connection;
}

/** One side of a connection. */
class MemoryStream implements MemoryConnection {
  readonly peer: string;
  readonly localAddress: string;
  readonly isFramed = false;
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  readonly #connection: Connection;
  #sink: ByteSink | undefined;
  #ending: { readonly failure: Error | undefined } | undefined;

  constructor({ peer, localAddress, incoming, outgoing, connection }: StreamParts) {
    this.peer = peer;
    this.localAddress = localAddress;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#connection = connection;
  }

  get unsentBytes(): number {
    return this.#outgoing.unreadBytes;
  }

  start(sink: ByteSink): void {
    this.#sink = sink;
    this.#incoming.start((item) => this.#read(item, sink));
    this.#tellClosed();
  }

  write(text: string, encoding: StreamEncoding): void {
    if (text !== '') this.#outgoing.send({ kind: 'bytes', bytes: Buffer.from(text, encoding) });
  }

  whenDrained(callback: () => void): void {
    this.#outgoing.send({ kind: 'mark', reached: callback });
  }

  pause(): void {
    this.#incoming.pause();
  }

  resume(): void {
    this.#incoming.resume();
  }

  end(): void {
    this.#outgoing.send({ kind: 'end' });
  }

  destroy(): void {
    if (this.#ending === undefined) this.#connection.reset(this);
  }

  /** Called by the connection. */
  closed(failure: Error | undefined): void {
    this.#ending = { failure };
    this.#tellClosed();
  }

  #read(item: Item, sink: ByteSink): void {
    if (item.kind === 'bytes') {
      sink.data(item.bytes);
    } else if (item.kind === 'mark') {
      item.reached();
    } else {
      sink.ended();
      this.#connection.endWasRead();
    }
  }

  #tellClosed(): void {
    const [sink, ending] = [this.#sink, this.#ending];
    if (sink !== undefined && ending !== undefined) this.#incoming.nextTurn(() => sink.closed(ending.failure));
  }
}

/** An item in transit: bytes, the end, or a callback to call when everything before it has been read. */
type Item =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'mark'; readonly reached: () => void };

/**
 * One direction. `ended`: nothing more is sent. `read`: the end has been read too. `closed`: items in transit are lost.
 */
class Pipe {
  state: 'open' | 'ended' | 'read' | 'closed' = 'open';
  unreadBytes = 0;
  readonly #log: ActivityLog;
  readonly #items: Item[] = [];
  #read: ((item: Item) => void) | undefined;
  #flow: 'flowing' | 'paused' = 'flowing';
  #isDeliveryDue = false;

  constructor(log: ActivityLog) {
    this.#log = log;
  }

  start(read: (item: Item) => void): void {
    this.#read = read;
    this.#deliverSoon();
  }

  send(item: Item): void {
    if (this.state !== 'open') return;
    if (item.kind === 'end') this.state = 'ended';
    if (item.kind === 'bytes') this.unreadBytes += item.bytes.length;
    this.#items.push(item);
    this.#deliverSoon();
  }

  pause(): void {
    this.#flow = 'paused';
  }

  resume(): void {
    // A reader that resumes may only now handle the data that it read before, so this counts as activity.
    if (this.#flow === 'paused') this.#log.activity += 1;
    this.#flow = 'flowing';
    this.#deliverSoon();
  }

  close(): void {
    this.state = 'closed';
    this.unreadBytes = 0;
    this.#items.length = 0;
  }

  nextTurn(callback: () => void): void {
    this.#log.activity += 1;
    setImmediate(callback);
  }

  /** One item per turn, so that a reader that pauses gets no more and a reader that throws loses none. */
  #deliverSoon(): void {
    if (this.#isDeliveryDue || !this.#canDeliver) return;
    this.#isDeliveryDue = true;
    this.nextTurn(() => {
      this.#isDeliveryDue = false;
      if (this.#canDeliver) this.#deliver();
    });
  }

  get #canDeliver(): boolean {
    return this.#read !== undefined && this.#flow === 'flowing' && this.#items.length > 0;
  }

  #deliver(): void {
    const item = this.#items.shift() as Item;
    if (item.kind === 'bytes') this.unreadBytes -= item.bytes.length;
    if (item.kind === 'end') this.state = 'read';
    this.#deliverSoon();
    this.#read?.(item);
  }
}

function systemError(code: string, text: string): Error {
  return Object.assign(new Error(`${code}: ${text}`), { code });
}
