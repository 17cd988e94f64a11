/** Hosts of their own for client processes, whose cables can be cut, and a small disk. Only root on Linux can make them. */

import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const DISK_BYTES = 4_194_304;
const ADDRESSES_A_CABLE = 4;
const CABLES_A_PROCESS = 8;
const MAX_CABLES = 2 ** 15;

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: 'pipe' });
}

/** Whether this process may make hosts and mount disks. */
export function canMakeHosts(): boolean {
  const commands = 'mount -t tmpfs none /mnt && ip link add hf-try type veth peer name hf-too';
  return spawnSync('unshare', ['--mount', '--net', 'sh', '-c', commands]).status === 0;
}

let hosts = 0;

/** A network namespace with a cable to this machine. */
export class ChaosHost {
  /** The address of this machine on the cable, and that of the host. */
  readonly nearAddress: string;
  readonly farAddress: string;
  readonly #name: string;
  readonly #cable: string;

  constructor() {
    const number = (process.pid * CABLES_A_PROCESS + (hosts % CABLES_A_PROCESS)) % MAX_CABLES;
    hosts += 1;
    this.#name = `chaos-${process.pid}-${hosts}`;
    this.#cable = `hc${process.pid}-${hosts}`;
    // From the range for tests between hosts (RFC 2544).
    const first = number * ADDRESSES_A_CABLE;
    const network = `198.${18 + (first >> 16)}.${(first >> 8) & 0xff}`;
    this.nearAddress = `${network}.${(first & 0xff) + 1}`;
    this.farAddress = `${network}.${(first & 0xff) + 2}`;
    run('ip', 'netns', 'add', this.#name);
    process.on('exit', this.#remove);
    run('ip', 'link', 'add', this.#cable, 'type', 'veth', 'peer', 'name', 'far', 'netns', this.#name);
    run('ip', 'address', 'add', `${this.nearAddress}/30`, 'dev', this.#cable);
    run('ip', 'link', 'set', this.#cable, 'up');
    run('ip', '-netns', this.#name, 'address', 'add', `${this.farAddress}/30`, 'dev', 'far');
    this.plug();
  }

  /** Puts this in front of a command, which then runs on the host. */
  get command(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name];
  }

  cut(): void {
    run('ip', '-netns', this.#name, 'link', 'set', 'far', 'down');
  }

  plug(): void {
    run('ip', '-netns', this.#name, 'link', 'set', 'far', 'up');
  }

  remove(): void {
    process.off('exit', this.#remove);
    this.#remove();
  }

  readonly #remove = (): void => {
    spawnSync('ip', ['link', 'delete', this.#cable]);
    spawnSync('ip', ['netns', 'delete', this.#name]);
  };
}

/** A small file system in memory. */
export class ChaosDisk {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    run('mount', '-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'none', folder);
  }

  fill(): void {
    const descriptor = openSync(this.#filler, 'w');
    for (const bytes of [65_536, 1]) {
      const zeros = Buffer.alloc(bytes, '0');
      try {
        while (writeSync(descriptor, zeros) === bytes);
      } catch {
        // It is full.
      }
    }
    closeSync(descriptor);
  }

  empty(): void {
    rmSync(this.#filler, { force: true });
  }

  /** Only while nobody has a file open to write. */
  setReadOnly(isReadOnly: boolean): void {
    run('mount', '-o', `remount,${isReadOnly ? 'ro' : 'rw'}`, this.#folder);
  }

  remove(): void {
    spawnSync('umount', ['-l', this.#folder]);
  }

  get #filler(): string {
    return join(this.#folder, 'filler');
  }
}
