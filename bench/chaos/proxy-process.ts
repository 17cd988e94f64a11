/** A proxy of the chaos run, with a port for each client process. It hurts the connections of a port as it is told. */

import { connect, createServer, type Socket } from 'node:net';
import type { ProxyAction, ProxyArguments, ProxyOrder } from './messages.ts';

const HOST = '127.0.0.1';

/** One direction of a port: bytes pass, are held back, are late or are dropped. Ends are not dropped. */
class Lane {
  #state: 'open' | 'holding' | 'dropping' | 'delaying' = 'open';
  #delayMs = 0;
  readonly #held: (() => void)[] = [];

  pass(forward: () => void): void {
    if (this.#state !== 'dropping') this.passEnd(forward);
  }

  passEnd(forward: () => void): void {
    if (this.#state === 'open' || this.#state === 'dropping') {
      forward();
      return;
    }
    this.#held.push(forward);
    if (this.#state === 'delaying') setTimeout(() => this.#freeUpTo(forward), this.#delayMs);
  }

  hold(): void {
    this.#state = 'holding';
  }

  drop(): void {
    this.#state = 'dropping';
  }

  delay(ms: number): void {
    this.#state = 'delaying';
    this.#delayMs = ms;
  }

  free(): void {
    this.#state = 'open';
    for (const forward of this.#held.splice(0)) forward();
  }

  /** What came before goes first. */
  #freeUpTo(last: () => void): void {
    for (const forward of this.#held.splice(0, this.#held.indexOf(last) + 1)) forward();
  }
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** Done to each connection of a port. */
const HURT: Readonly<Partial<Record<ProxyAction, (pair: Pair) => void>>> = {
  cut: ({ client, server }) => {
    client.end();
    server.end();
  },
  reset: ({ client, server }) => {
    client.resetAndDestroy();
    server.resetAndDestroy();
  },
  resetClientSide: ({ client }) => client.resetAndDestroy(),
  resetServerSide: ({ server }) => server.resetAndDestroy(),
  halfCloseToServer: ({ server }) => server.end(),
  halfCloseToClient: ({ client }) => client.end(),
};

/** All connections that come in at one port. */
class Gate {
  readonly #serverPorts: readonly number[];
  #openedCount = 0;
  readonly #pairs = new Set<Pair>();
  readonly #toServer = new Lane();
  readonly #toClient = new Lane();
  /** Connections that are not let through yet; undefined when all are. */
  #kept: Socket[] | undefined;

  constructor(serverPorts: readonly number[]) {
    this.#serverPorts = serverPorts;
  }

  listen(port: number): Promise<void> {
    const server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, (client) => {
      client.on('error', () => {});
      if (this.#kept === undefined) this.#open(client);
      else this.#kept.push(client);
    });
    return new Promise((resolve) => {
      server.listen({ host: HOST, port }, resolve);
    });
  }

  act(action: ProxyAction, ms: number): void {
    for (const pair of this.#pairs) HURT[action]?.(pair);
    if (action === 'holdToServer') this.#toServer.hold();
    if (action === 'holdToClient') this.#toClient.hold();
    if (action === 'dropToClient') this.#toClient.drop();
    if (action === 'delay') this.#toServer.delay(ms);
    if (action === 'delay' || action === 'delayToClient') this.#toClient.delay(ms);
    if (action === 'freeReplies') this.#toClient.free();
    if (action === 'holdConnections') this.#kept ??= [];
    if (action === 'free') this.#free();
  }

  #free(): void {
    this.#toServer.free();
    this.#toClient.free();
    const kept = this.#kept ?? [];
    this.#kept = undefined;
    for (const client of kept) if (!client.destroyed) this.#open(client);
  }

  #open(client: Socket): void {
    const port = this.#serverPorts[this.#openedCount % this.#serverPorts.length] as number;
    this.#openedCount += 1;
    const server = connect({ host: HOST, port, noDelay: true, allowHalfOpen: true });
    const pair = { client, server };
    this.#pairs.add(pair);
    this.#forward(pair, client, server, this.#toServer);
    this.#forward(pair, server, client, this.#toClient);
    client.resume();
  }

  /** Bytes, ends and resets of one side arrive at the other, in their order. */
  #forward(pair: Pair, from: Socket, to: Socket, lane: Lane): void {
    let isBroken = false;
    from.on('data', (bytes) => lane.pass(() => to.writable && to.write(bytes)));
    from.on('end', () => lane.passEnd(() => to.end()));
    from.on('error', () => {
      isBroken = true;
    });
    from.on('close', () => {
      this.#pairs.delete(pair);
      // A side that this proxy has reset itself says nothing to the other, which is how one-sided resets come about.
      if (isBroken) lane.passEnd(() => to.resetAndDestroy());
    });
  }
}

const { ports } = JSON.parse(process.argv[2] as string) as ProxyArguments;
const gates = new Map(ports.map(({ port, serverPorts }) => [port, new Gate(serverPorts)]));
await Promise.all([...gates].map(([port, gate]) => gate.listen(port)));
process.on('message', ({ port, action, ms }: ProxyOrder) => gates.get(port)?.act(action, ms));
process.on('disconnect', () => process.exit());
process.send?.('ready');
