/** Bounds the connections of a server, in all and of each address, from their arrival on. */

import { gaveWay, tooManyConnections, tooManyOfAddress } from './refusal-causes.ts';
import type { ConnectionRefusalReason, Refusal, RefusalCause } from './refusals.ts';

/** How many connections a server takes, those included whose handshake is not over. */
export interface ConnectionBounds {
  readonly maxConnections: number;
  /**
   * Of one address; in IPv6, of one network of 64 bits. Loopback and Unix sockets are exempt, since all programs of the
   * machine share one address there.
   */
  readonly maxConnectionsPerAddress: number;
}

/** Takes a place: a stream, or a socket whose handshake is not over. */
export interface Occupant {
  destroy(): void;
}

type Cause = RefusalCause<ConnectionRefusalReason>;

/** The place of one connection. */
export class Place {
  readonly address: string;
  /** What the connections of the address are counted by, if at all. */
  readonly network: string | undefined;
  readonly occupant: Occupant;
  readonly #places: ConnectionPlaces;
  /** `silent`: no message has come, so the connection gives way at a bound. */
  state: 'silent' | 'kept' | 'free' = 'silent';

  constructor(address: string, network: string | undefined, occupant: Occupant, places: ConnectionPlaces) {
    this.address = address;
    this.network = network;
    this.occupant = occupant;
    this.#places = places;
  }

  /** The first message has come. */
  keep(): void {
    this.state = 'kept';
    this.#places.keep(this);
  }

  /** The connection is gone. */
  free(): void {
    if (this.state === 'free') return;
    this.state = 'free';
    this.#places.free(this);
  }
}

/** Places that have one bound. */
class Section {
  /** Connections without a message so far, the oldest first. */
  readonly silent = new Set<Place>();
  count = 0;
  readonly #bounds: ConnectionBounds;
  readonly #bound: keyof ConnectionBounds;

  constructor(bounds: ConnectionBounds, bound: keyof ConnectionBounds) {
    this.#bounds = bounds;
    this.#bound = bound;
  }

  get isFull(): boolean {
    return this.count >= this.#bounds[this.#bound];
  }

  add(place: Place): void {
    this.count += 1;
    this.silent.add(place);
  }

  delete(place: Place): void {
    this.count -= 1;
    this.silent.delete(place);
  }
}

/** The places of a server. */
export class ConnectionPlaces {
  readonly #bounds: ConnectionBounds;
  readonly #refused: (refusal: Refusal) => void;
  readonly #all: Section;
  /** The sections of the networks that have connections. */
  readonly #sections = new Map<string, Section>();

  /** Tells `refused` of the connections that give way. */
  constructor(bounds: ConnectionBounds, refused: (refusal: Refusal) => void) {
    this.#bounds = bounds;
    this.#refused = refused;
    this.#all = new Section(bounds, 'maxConnections');
  }

  /**
   * Takes a place for a new connection. At a bound, the oldest connection that has sent no message gives way. If there is
   * none, this returns why there is no place.
   */
  take(address: string, occupant: Occupant): Place | Cause {
    const network = boundedNetworkOf(address);
    const obstacle = this.#findObstacle(network);
    if (obstacle !== undefined) return obstacle;
    const place = new Place(address, network, occupant, this);
    this.#all.add(place);
    if (network === undefined) return place;
    const section = this.#sections.get(network) ?? new Section(this.#bounds, 'maxConnectionsPerAddress');
    section.add(place);
    this.#sections.set(network, section);
    return place;
  }

  /** Called by the place. */
  keep(place: Place): void {
    this.#all.silent.delete(place);
    this.#sections.get(place.network ?? '')?.silent.delete(place);
  }

  /** Called by the place. */
  free(place: Place): void {
    this.#all.delete(place);
    const { network } = place;
    const section = this.#sections.get(network ?? '');
    section?.delete(place);
    if (network !== undefined && section?.count === 0) this.#sections.delete(network);
  }

  #findObstacle(network: string | undefined): Cause | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.#bounds;
    const section = this.#sections.get(network ?? '');
    const obstacle = section?.isFull ? this.#makeRoom(section, tooManyOfAddress(maxConnectionsPerAddress)) : undefined;
    if (obstacle !== undefined || !this.#all.isFull) return obstacle;
    return this.#makeRoom(this.#all, tooManyConnections(maxConnections));
  }

  /** Closes the oldest connection that has sent no message; returns the cause if there is none. */
  #makeRoom({ silent }: Section, cause: Cause): Cause | undefined {
    const [oldest] = silent;
    if (oldest === undefined) return cause;
    oldest.free();
    this.#refused({ ...gaveWay(cause), address: oldest.address });
    oldest.occupant.destroy();
    return undefined;
  }
}

const GROUPS = 8;
const NETWORK_GROUPS = 4;

/** A host of IPv6 has a whole network to choose its address from. */
function boundedNetworkOf(address: string): string | undefined {
  const isLocal = !/[.:]/.test(address) || address.startsWith('127.') || address === '::1';
  if (isLocal) return undefined;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':');
  const lastGroups = tail?.split(':') ?? [];
  const zeros = Array<string>(Math.max(0, GROUPS - groups.length - lastGroups.length)).fill('0');
  return [...groups, ...zeros, ...lastGroups].slice(0, NETWORK_GROUPS).join(':');
}
