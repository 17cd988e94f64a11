/** A host of its own for a test: a network namespace, whose cable can be cut. For root on Linux. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Context } from 'mocha';
import { SystemProgram } from '../foreign/system-program.ts';
import { makeFolder, whenTestEnds } from '../server/clean-up.ts';

const RELAY: string = fileURLToPath(new URL('far-relay-program.js', import.meta.url));

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' });
}

/** An Ethernet address that no host has. */
const NOBODY = '02:00:00:00:00:01';

let hosts = 0;

export class FarHost {
  /** This machine's address on the cable. */
  readonly nearAddress: string;
  readonly #name: string;
  readonly #cable: string;
  readonly #farAddress: string;

  constructor() {
    hosts += 1;
    this.#name = `holdfast-${process.pid}-${hosts}`;
    this.#cable = `hf${process.pid}-${hosts}`;
    // From the range for tests between hosts (RFC 2544): eight addresses for each process, so that two hosts may be there at once.
    const number = (process.pid % 8_192) * 8 + (hosts % 2) * 4;
    const network = `198.18.${number >> 8}`;
    this.nearAddress = `${network}.${(number & 0xff) + 1}`;
    this.#farAddress = `${network}.${(number & 0xff) + 2}`;
    ip('netns', 'add', this.#name);
    whenTestEnds(() => ip('netns', 'delete', this.#name));
    ip('link', 'add', this.#cable, 'type', 'veth', 'peer', 'name', 'far', 'netns', this.#name);
    // The system takes its time to delete it with the namespace, and the next host may have the same address.
    whenTestEnds(() => ip('link', 'delete', this.#cable));
    ip('address', 'add', `${this.nearAddress}/30`, 'dev', this.#cable);
    ip('link', 'set', this.#cable, 'up');
    ip('-netns', this.#name, 'address', 'add', `${this.#farAddress}/30`, 'dev', 'far');
    this.plug();
  }

  /** Nothing reaches it any more, but it still reaches this machine. */
  deafen(): void {
    ip('neighbour', 'replace', this.#farAddress, 'lladdr', NOBODY, 'dev', this.#cable, 'nud', 'permanent');
  }

  cut(): void {
    ip('-netns', this.#name, 'link', 'set', 'far', 'down');
  }

  plug(): void {
    ip('-netns', this.#name, 'link', 'set', 'far', 'up');
  }

  /** Returns a function that connects from there to a port of this machine. */
  async dialer(port: number): Promise<() => Promise<Socket>> {
    const path = await this.relay(port);
    return async () => {
      const socket = connect({ path });
      whenTestEnds(() => socket.destroy());
      await once(socket, 'connect');
      return socket;
    };
  }

  /** Returns a Unix socket on which that host listens, and relays each connection to a port of this machine. */
  async relay(port: number): Promise<string> {
    const path = join(makeFolder(), 'relay.sock');
    const command = ['netns', 'exec', this.#name, process.execPath, RELAY, path, this.nearAddress, String(port)];
    const relay = new SystemProgram('ip', command);
    await relay.nextLine();
    return path;
  }
}

/** Skips the tests of a suite, and says why, where there can be no such host. */
export function needsFarHost(test: Context): void {
  const name = `holdfast-try-${process.pid}`;
  try {
    ip('netns', 'add', name);
    ip('netns', 'delete', name);
  } catch {
    console.log('      skipped: only root on Linux, with the program ip, can make network namespaces');
    test.skip();
  }
}
