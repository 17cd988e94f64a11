/**
 * Closes connections whose host vanished while output was on its way to it. TCP keep-alive does not run then, and the
 * kernel would go on sending the output again for some 15 minutes.
 */

import type { Socket } from 'node:net';
import { TurnBudget } from '../message/scheduler.ts';
import { readTcpTable, type TcpRow, type TcpTable, tcpRowOf } from './tcp-table.ts';

/** A connection to watch. */
export interface WatchedPeer {
  /** The system's socket, below TLS. */
  readonly rawSocket: Socket;
  /** When the peer was last heard, in milliseconds as `performance.now` tells them. */
  readonly heardMs: number;
  /** Closes the connection, since the peer is gone. */
  lose(error: Error): void;
}

/** When a host counts as vanished. */
interface PeerWatchOptions {
  /** How long a peer is silent before it is looked at; longer than the pings of a session are apart (7.5 s at most). */
  readonly silentMs: number;
  /** The time between two looks. */
  readonly lookMs: number;
  /** How many looks in a row must find at least that many unanswered retransmissions, more in the last than in the first. */
  readonly looks: number;
  readonly retransmissions: number;
}

/**
 * On a local network the kernel sends data again after 200 ms and then doubles the time: 0.2 + 0.4 + 0.8 + 1.6 + 3.2, so five times in
 * 6.2 s, six in 12.6 s and seven in 25.4 s. The first look that counts comes up to 5 s after the fifth time, and 8 s or more after the peer
 * was last heard; the fourth comes 15 s later. So the host is given up 21 to 28 s after the output was sent. The count alone would not do: it grows every
 * 3 s once the kernel knows that nobody answers for the address, or faster still where this host cannot send.
 */
const DEFAULT_OPTIONS: PeerWatchOptions = { silentMs: 8_000, lookMs: 5_000, looks: 4, retransmissions: 5 };

/** A connection that is watched. */
export interface Watched {
  readonly peer: WatchedPeer;
  /** Where it is in the list of all. */
  place: number;
  /** How many bytes had been written when the peer was last known to have acknowledged all. */
  acknowledgedBytes: number;
  /** What the first of the looks in a row found, and how many there were. */
  unanswered: { readonly count: number; looks: number } | undefined;
}

interface Suspect {
  readonly watched: Watched;
  /** Before the look. */
  readonly writtenBytes: number;
}

type Suspects = Map<string, Suspect>;

/** Watches the peers of any number of listeners. Does nothing where the system has no `/proc/self/net/tcp`. */
export class PeerWatch {
  readonly #options: PeerWatchOptions;
  /** An array, since a `Set` with thousands of connections that come and go keeps dead ones alive. */
  readonly #all: Watched[] = [];
  readonly #budget = new TurnBudget();
  #state: 'idle' | 'waiting' | 'unable' = 'idle';

  constructor(options: Partial<PeerWatchOptions> = {}) {
    this.#options = { ...DEFAULT_OPTIONS, ...options };
  }

  add(peer: WatchedPeer): Watched {
    const watched: Watched = { peer, place: this.#all.length, acknowledgedBytes: 0, unanswered: undefined };
    this.#all.push(watched);
    if (this.#state === 'idle') this.#lookLater();
    return watched;
  }

  /** Called once for each peer. The last peer takes its place. */
  delete({ place }: Watched): void {
    const last = this.#all.pop() as Watched;
    if (last.place === place) return;
    last.place = place;
    this.#all[place] = last;
  }

  #lookLater(): void {
    this.#state = 'waiting';
    setTimeout(() => void this.#look(), this.#options.lookMs).unref();
  }

  async #look(): Promise<void> {
    try {
      const silentSinceMs = performance.now() - this.#options.silentMs;
      for (const [table, suspects] of await this.#findSuspects(silentSinceMs)) {
        await readTcpTable(table, (row) => this.#judge(row, suspects, silentSinceMs));
      }
    } catch (error) {
      // Other errors, such as too many open files, may pass.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        this.#state = 'unable';
        return;
      }
    }
    if (this.#all.length > 0) this.#lookLater();
    else this.#state = 'idle';
  }

  /** Finds the silent peers that may not have acknowledged all output. Often there are none, and no table is read. */
  async #findSuspects(silentSinceMs: number): Promise<ReadonlyMap<TcpTable, Suspects>> {
    const tables = new Map<TcpTable, Suspects>();
    // One that takes another's place meanwhile may be missed until the next look.
    for (let place = 0; place < this.#all.length; place += 1) {
      if (this.#budget.isUsedUp) await nextTurn();
      const watched = this.#all[place];
      if (watched === undefined) break;
      const { peer } = watched;
      if (peer.heardMs > silentSinceMs) {
        watched.unanswered = undefined;
        continue;
      }
      const { bytesWritten: writtenBytes } = peer.rawSocket;
      if (writtenBytes === watched.acknowledgedBytes) continue;
      const row = tcpRowOf(peer.rawSocket);
      if (row === undefined) continue;
      const suspects = tables.get(row.table) ?? new Map();
      tables.set(row.table, suspects.set(row.key, { watched, writtenBytes }));
    }
    return tables;
  }

  #judge(
    { key, unacknowledgedBytes, unansweredCount: count }: TcpRow,
    suspects: Suspects,
    silentSinceMs: number,
  ): void {
    const suspect = suspects.get(key);
    if (suspect === undefined) return;
    // The kernel may tell of a connection twice when others come and go meanwhile.
    suspects.delete(key);
    const { watched, writtenBytes } = suspect;
    const { peer, unanswered } = watched;
    if (unacknowledgedBytes === 0) watched.acknowledgedBytes = writtenBytes;
    if (count < this.#options.retransmissions) {
      watched.unanswered = undefined;
    } else if (unanswered === undefined || count < unanswered.count) {
      watched.unanswered = { count, looks: 1 };
    } else {
      unanswered.looks += 1;
      // A peer that shuts its window only after the first retransmissions still answers, and the count stays.
      const hasGrown = count > unanswered.count;
      if (unanswered.looks >= this.#options.looks && hasGrown && peer.heardMs <= silentSinceMs)
        peer.lose(notAnswering());
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function notAnswering(): Error {
  const message = 'the peer does not acknowledge what was sent to it, and nothing else comes from it';
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}

/** The watch that all listeners share, so that one look serves them all. */
export const sharedPeerWatch: PeerWatch = new PeerWatch();
