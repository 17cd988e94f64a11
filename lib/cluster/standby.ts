/** Serves the connections of a node that stands by: tells clients where the leader is, and forwards those who cannot go there. */

import { Buffer } from 'node:buffer';
import type { ByteSink, ByteStream, ListenerEvents } from '../message/byte-stream.ts';
import { ConnectionPlaces, Place } from '../message/connection-places.ts';
import type { Logger } from '../message/logger.ts';
import { QuietLog } from '../message/quiet-log.ts';
import { hostOf, Refusals } from '../message/refusals.ts';
import { startTimeout } from '../message/timeout.ts';
import { dialDirectSocket } from '../transports/dial-direct-socket.ts';
import { KEEP_ALIVE_IDLE_MS } from '../transports/tcp.ts';
import { FencedStream } from './fenced-stream.ts';
import { lookAtFirst } from './first-message.ts';
import { encodeForwardHeader } from './forward-header.ts';
import { type ForwardingLimits, join } from './forwarding.ts';
import type { Leader } from './leader-record.ts';

const DIAL_TIMEOUT_MS = 5_000;

/** What the connections of a standby may use. */
export interface StandbyLimits extends ForwardingLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxMessageBytes: number;
  readonly maxMessageValues: number;
  readonly messageTimeoutMs: number;
}

/** Why there is no leader to go to. */
export type NoDestination = 'noLeader' | 'noQuorum' | 'notJoined' | 'setBack';

/** The leader, as long as etcd confirms this node's lease, or why there is none to go to. */
export type Destination =
  | { readonly leader: Leader; readonly isCertain: () => boolean }
  | { readonly reason: NoDestination };

export class Standby {
  readonly #limits: StandbyLimits;
  readonly #logger: Logger;
  readonly #places: ConnectionPlaces;
  readonly #refusals: Refusals;
  readonly #connections = new Set<StandbyConnection>();
  #destination: Destination = { reason: 'notJoined' };

  constructor(limits: StandbyLimits, logger: Logger) {
    this.#limits = limits;
    this.#logger = logger;
    this.#refusals = new Refusals(new QuietLog(logger), []);
    this.#places = new ConnectionPlaces(limits, (refusal) => this.#refusals.add(refusal));
  }

  get destination(): Destination {
    return this.#destination;
  }

  /** How many connections there are. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** C8: what is forwarded to another leader, or to one that may have been replaced, is closed. */
  follow(destination: Destination): void {
    const before = this.#destination;
    this.#destination = destination;
    if ('leader' in before && 'leader' in destination && before.leader.epoch === destination.leader.epoch) return;
    for (const connection of this.#connections) connection.leaderChanged();
  }

  /** Closes all connections: clients find the leader, which is this node from now on. */
  dismiss(): void {
    for (const connection of this.#connections) connection.close();
  }

  /** The events of a listener whose server would listen with these options. */
  eventsFor(options: object): ListenerEvents {
    return {
      arrived: (address, socket) => this.#places.take(address, socket),
      accepted: (stream, place) => this.#accept(stream, options, place),
      refused: (refusal) => this.#refusals.add(refusal),
      noticed: (details, message) => this.#logger.info(details, message),
      failed: (error) => this.#logger.error({ err: error }, 'a connection could not be accepted'),
    };
  }

  #accept(stream: ByteStream, options: object, given: Place | undefined): void {
    const address = hostOf(stream.peer);
    const place = given ?? this.#places.take(address, stream);
    if (!(place instanceof Place)) {
      this.#refusals.add({ ...place, address });
      stream.destroy();
      return;
    }
    const connection = new StandbyConnection({
      stream,
      options,
      limits: this.#limits,
      destination: () => this.#destination,
      decided: () => place.keep(),
      failed: (why) => this.#logger.debug({ peer: stream.peer, why }, 'a connection was not forwarded'),
      closed: () => {
        place.free();
        this.#connections.delete(connection);
      },
    });
    this.#connections.add(connection);
    connection.start();
  }
}

/** What a connection is given. */
interface ConnectionParts {
  readonly stream: ByteStream;
  readonly options: object;
  readonly limits: StandbyLimits;
  readonly destination: () => Destination;
  readonly decided: () => void;
  readonly failed: (why: string) => void;
  readonly closed: () => void;
}

/** `deciding`: the first message is not whole. `forwarding`: the leader is dialled or has answered. */
class StandbyConnection implements ByteSink {
  readonly #parts: ConnectionParts;
  readonly #dialling = new AbortController();
  #state: 'deciding' | 'forwarding' | 'answered' | 'closed' = 'deciding';
  #bytes: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  /** Receives the client's bytes once the leader has answered. */
  #sink: ByteSink | undefined;
  #toLeader: ByteStream | undefined;
  #stopTimeout: () => void = () => {};

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#parts.stream.start(this);
  }

  data(bytes: Uint8Array, end: number = bytes.length): void {
    if (this.#sink !== undefined) {
      this.#sink.data(bytes, end);
      return;
    }
    if (this.#state !== 'deciding' && this.#state !== 'forwarding') return;
    if (this.#state === 'deciding' && this.#bytes.length === 0)
      this.#stopTimeout = startTimeout(this.#parts.limits.messageTimeoutMs, () => this.close());
    // The bytes may be overwritten once this returns.
    this.#bytes = Buffer.concat([this.#bytes, bytes.subarray(0, end)]);
    if (this.#state === 'deciding') this.#decide();
    else this.#parts.stream.pause();
  }

  ended(): void {
    this.#hasEnded = true;
    if (this.#state === 'deciding') this.close();
    this.#sink?.ended();
  }

  closed(error: Error | undefined): void {
    this.#state = 'closed';
    this.#stopTimeout();
    this.#dialling.abort();
    this.#sink?.closed(error);
    this.#parts.closed();
  }

  /** A reset: the client is not to think that the server has ended its session. */
  close(): void {
    const { stream } = this.#parts;
    this.#dialling.abort();
    (stream.reset ?? stream.destroy).call(stream);
    if (this.#toLeader !== undefined) (this.#toLeader.reset ?? this.#toLeader.destroy).call(this.#toLeader);
  }

  leaderChanged(): void {
    if (this.#state === 'forwarding') this.close();
  }

  #decide(): void {
    const first = lookAtFirst(this.#bytes, this.#parts.limits);
    if (first === 'partial') return;
    this.#stopTimeout();
    if (first === 'foreign') {
      this.close();
      return;
    }
    this.#parts.decided();
    const destination = this.#parts.destination();
    if ('reason' in destination) this.#answer(first.id, { status: 'unavailable', reason: destination.reason });
    else if (first.canRedirect) this.#answer(first.id, { status: 'elsewhere', address: destination.leader.address });
    else void this.#forward(destination);
  }

  /** A client without messages learns nothing but the end of its connection. */
  #answer(id: string | number | undefined, result: object): void {
    this.#state = 'answered';
    const { stream } = this.#parts;
    if (id === undefined) {
      this.close();
      return;
    }
    stream.write(JSON.stringify({ id, result }) + (stream.isFramed ? '' : '\n'), 'utf8');
    stream.end();
    this.#stopTimeout = startTimeout(DIAL_TIMEOUT_MS, () => this.close());
  }

  async #forward({ leader, isCertain }: Extract<Destination, { readonly leader: Leader }>): Promise<void> {
    this.#state = 'forwarding';
    const { stream, options, limits, failed } = this.#parts;
    stream.pause();
    const stopTimeout = startTimeout(DIAL_TIMEOUT_MS, () => this.#dialling.abort());
    try {
      const toLeader = await dial(leader.forward, this.#dialling.signal);
      this.#toLeader = toLeader;
      // C8: a process that was stopped finds old answers before its timers.
      const sink = join(new FencedStream(stream, isCertain), toLeader, limits, () => {
        this.#toLeader = undefined;
      });
      const header = encodeForwardHeader(leader.secret, { peer: stream.peer, options });
      sink.data(Buffer.concat([header, this.#bytes]));
      this.#bytes = Buffer.alloc(0);
      this.#sink = sink;
      if (this.#hasEnded) sink.ended();
      stream.resume();
    } catch (error) {
      failed((error as Error).message);
      this.close();
    } finally {
      stopTimeout();
    }
  }
}

function dial(address: string, signal: AbortSignal): Promise<ByteStream> {
  const { host, port } = splitAddress(address);
  const socketOptions = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_IDLE_MS };
  return dialDirectSocket(socketOptions, address, signal);
}

/** `10.0.0.1:20934`, `[::1]:20934` or `name:20934`. */
function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const [, inBrackets, plain = '', port = ''] = /^(?:\[(.*)\]|(.*)):(\d+)$/.exec(address) ?? [];
  return { host: inBrackets ?? plain, port: Number(port) };
}
