/** A server that stands by, without a cluster: the test tells it where the leader is. */

import { type NoDestination, Standby } from '../../lib/cluster/standby.ts';
import type { Listener } from '../../lib/message/byte-stream.ts';
import { DEFAULT_LOCK_SERVER_LIMITS } from '../../lib/server/lock-server-limits.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import { LOOPBACK, portOf } from '../server/running-server.ts';
import { RecordingLogger } from './recording-logger.ts';

/** Knows of no leader at first. Closed when the test ends. */
export class StandbyServer {
  port = 0;
  /** How many connections there were. */
  acceptedCount = 0;
  readonly #standby = new Standby(DEFAULT_LOCK_SERVER_LIMITS, new RecordingLogger());
  #epoch = 0;

  static async start(listener: Listener = tcp(LOOPBACK)): Promise<StandbyServer> {
    const server = new StandbyServer();
    server.losesLeader('noLeader');
    const events = server.#standby.eventsFor({});
    const address = await listener.open({
      ...events,
      accepted: (stream, place) => {
        server.acceptedCount += 1;
        events.accepted(stream, place);
      },
    });
    whenTestEnds(async () => {
      server.#standby.dismiss();
      await listener.close();
    });
    server.port = portOf(address);
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The leader is there from now on. */
  findsLeader(address: string): void {
    this.#epoch += 1;
    const leader = { node: 'leader', epoch: this.#epoch, address, forward: address, secret: 'none' };
    this.#standby.follow({ leader, isCertain: () => true });
  }

  /** There is no leader from now on, or nobody can tell. */
  losesLeader(reason: NoDestination): void {
    this.#standby.follow({ reason });
  }
}
