/** Finds the leader among several servers: asks one after the other, and follows those that stand by to the one that they name. */

import { whenAborted } from '../message/abort-listeners.ts';
import type { ByteStream, Dialer } from '../message/byte-stream.ts';
import { MessageClient, type RpcResult } from '../message/message-client.ts';
import { connectionLost, MessageError } from '../message/message-error.ts';
import { show } from '../message/show.ts';
import { pause } from '../message/timeout.ts';
import { anotherProtocol, greetingFailure, PROTOCOL, requireGreeting } from './greeting.ts';
import { type IsRefusal, isPermanent, LockUnreachableError, nobodyListens } from './lock-error.ts';
import type { ServerPlace } from './server-places.ts';

/** A server that has not answered for this long is not waited for alone (S5). */
const SPACING_MS = 250;
/** How often one answer may lead to the next within an attempt. */
const MAX_HOPS = 3;

/** How a list of servers is used. */
export interface ServerListOptions {
  readonly places: readonly ServerPlace[];
  /** The place of a leader that a server has told of; undefined for what is no address. */
  readonly leaderPlace: (address: unknown) => ServerPlace | undefined;
  readonly isRefusal: IsRefusal;
}

/** The servers of a client. */
export class ServerList {
  readonly #options: ServerListOptions;
  /** In the order in which the next attempt asks them. */
  #places: readonly ServerPlace[];
  /** The one that led last. It need not be in the list. */
  #leader: ServerPlace | undefined;

  constructor(options: ServerListOptions) {
    this.#options = options;
    this.#places = options.places;
  }

  /**
   * Opens a connection to the leader, which has answered a greeting without a session: so those that are given up know of no session
   * (S2), and their answers say nothing about one (S4). Rejects with the signal's reason; with the error of a server when no further
   * attempt can succeed at any of them; with an error of the code `ECONNREFUSED` when nobody listens at any of them; otherwise with
   * a `LockUnreachableError`.
   */
  readonly dial: Dialer = async (signal) => {
    signal.throwIfAborted();
    const first = this.#leader === undefined ? [] : [this.#leader];
    this.#leader = undefined;
    const search = new LeaderSearch([...first, ...this.#places], this.#options, signal);
    try {
      const stream = await search.run();
      this.#leader = search.leader;
      return stream;
    } catch (error) {
      // The next attempt begins with those for which there was no time.
      const count = Math.max(0, search.askedCount - first.length);
      this.#places = [...this.#places.slice(count), ...this.#places.slice(0, count)];
      throw error;
    }
  };
}

/** One attempt. */
class LeaderSearch {
  readonly #places: readonly ServerPlace[];
  readonly #options: ServerListOptions;
  readonly #signal: AbortSignal;
  /** Aborts when one has answered that it leads, or the attempt is given up. */
  readonly #end = new AbortController();
  /** Where a server was asked. */
  readonly #addresses = new Set<string>();
  leader: ServerPlace | undefined;
  /** How many of the places were asked. */
  askedCount = 0;

  constructor(places: readonly ServerPlace[], options: ServerListOptions, signal: AbortSignal) {
    this.#places = places;
    this.#options = options;
    this.#signal = signal;
  }

  async run(): Promise<ByteStream> {
    const stopListening = whenAborted(this.#signal, () => this.#end.abort(this.#signal.reason));
    try {
      return await Promise.any(await this.#askAll());
    } catch (error) {
      this.#signal.throwIfAborted();
      throw this.#failureOf((error as AggregateError).errors as readonly Error[]);
    } finally {
      stopListening();
    }
  }

  /** Asks each when the one before has failed or kept silent. */
  async #askAll(): Promise<readonly Promise<ByteStream>[]> {
    const answers: Promise<ByteStream>[] = [];
    for (const place of this.#places) {
      const failed = new AbortController();
      const answer = this.#follow(place);
      answer.catch(() => failed.abort());
      answers.push(answer);
      this.askedCount += 1;
      await pause(SPACING_MS, failed.signal, this.#end.signal);
      if (this.#end.signal.aborted) break;
    }
    return answers;
  }

  /** Asks a server, and those that the answers lead to. */
  async #follow(first: ServerPlace): Promise<ByteStream> {
    let stream = await this.#ask(first);
    let told = first;
    for (let hops = 0; !isStream(stream); hops += 1) {
      if (hops === MAX_HOPS) throw new LockUnreachableError(`${told.address} names one more`);
      const next = this.#options.leaderPlace(stream.address);
      if (next === undefined) throw new LockUnreachableError(`it names ${show(stream.address)}; expected host:port`);
      told = next;
      stream = await this.#ask(next).catch((error: Error) => {
        throw new LockUnreachableError(`it names ${next.address}: ${error.message}`, error);
      });
    }
    // Two may answer in one turn.
    if (this.#end.signal.aborted) {
      stream.destroy();
      throw this.#end.signal.reason;
    }
    this.leader = told;
    this.#end.abort();
    return stream;
  }

  async #ask({ address, dial }: ServerPlace): Promise<ByteStream | Elsewhere> {
    if (this.#addresses.has(address)) throw new AskedAlready();
    this.#addresses.add(address);
    return await greet(dial, this.#end.signal);
  }

  /** One error for those of all places. */
  #failureOf(errors: readonly Error[]): Error {
    const failures = errors.filter((error) => !(error instanceof AskedAlready));
    const [first = new LockUnreachableError('no server was asked')] = failures;
    const isHopeless = failures.every((error) => isPermanent(error, this.#options.isRefusal));
    if (failures.length === 1 || isHopeless) return first;
    const told = failures.map((error) => `${this.#places[errors.indexOf(error)]?.address}: ${error.message}`);
    const text = `none of the servers leads: ${told.join('; ')}`;
    if (failures.every(nobodyListens)) return Object.assign(new Error(text), { code: 'ECONNREFUSED' });
    return new LockUnreachableError(text, new AggregateError(failures, 'no server leads'));
  }
}

/** The same server by another way within an attempt. */
class AskedAlready extends Error {
  constructor() {
    super('asked already');
  }
}

/** The answer of a server that stands by. */
interface Elsewhere extends RpcResult {
  readonly status: 'elsewhere';
}

function isStream(answer: ByteStream | Elsewhere): answer is ByteStream {
  return 'peer' in answer;
}

/** Asks a server whether it leads. Resolves to the open connection if so. */
async function greet(dial: Dialer, signal: AbortSignal): Promise<ByteStream | Elsewhere> {
  signal.throwIfAborted();
  const client = new MessageClient({ requestTimeoutMs: Number.POSITIVE_INFINITY });
  client.on('error', (error) => {
    if (!(error instanceof MessageError)) client.drop(anotherProtocol(error));
  });
  const stopListening = whenAborted(signal, () => {
    client.drop();
    void client.close();
  });
  try {
    await client.connect(dial, { connectTimeoutMs: Number.POSITIVE_INFINITY });
    const result = await client.rpc('hello', { protocol: PROTOCOL, redirect: true });
    if (result.status === 'elsewhere') return result as Elsewhere;
    requireGreeting(result);
    const stream = client.abandon(undefined);
    if (stream === undefined) throw connectionLost(undefined);
    stream.setReferenced?.(true);
    return stream;
  } catch (error) {
    throw greetingFailure(error);
  } finally {
    stopListening();
    client.drop();
  }
}
