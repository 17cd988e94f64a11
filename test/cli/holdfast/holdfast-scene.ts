/** `holdfast` as a program, on a server in the process of the test. */

import { join } from 'node:path';
import type { LockClient } from '../../../lib/client/lock-client.ts';
import type { ServerStatistics } from '../../../lib/protocol.ts';
import { SystemProgram } from '../../foreign/system-program.ts';
import { endTest } from '../../server/clean-up.ts';
import { until } from '../../server/raw-client.ts';
import { type RunningServer, startServer } from '../../server/running-server.ts';

const SCRIPT = join('bin', 'holdfast.js');

/** A server, a client of it, and the program. */
export class HoldfastScene {
  server: RunningServer = Object.create(null);
  bystander: LockClient = Object.create(null);

  /** For `beforeEach`. */
  async begin(...options: Parameters<typeof startServer>): Promise<void> {
    this.server = await startServer(...options);
    this.bystander = await this.server.client();
  }

  get address(): string {
    return `127.0.0.1:${this.server.port}`;
  }

  /** The environment that names the server. */
  get environment(): NodeJS.ProcessEnv {
    return { HOLDFAST_SERVER: this.address, SHELL: '/bin/sh' };
  }

  /** Starts `holdfast`. */
  start(...args: readonly string[]): SystemProgram {
    return this.startUnder([], ...args);
  }

  /** Starts `holdfast` by another program. */
  startUnder(program: readonly string[], ...args: readonly string[]): SystemProgram {
    const [command = '', ...rest] = [...program, process.execPath, SCRIPT, ...args];
    return new SystemProgram(command, rest, this.environment);
  }

  /** Runs `holdfast` to its end. */
  async run(...args: readonly string[]): Promise<{ code: number | null; output: string; errors: string }> {
    const program = this.start(...args);
    const { code } = await program.exit;
    return { code, output: program.output, errors: program.errorOutput };
  }

  /** Waits until so many wait for locks. */
  async untilWaiting(count: number): Promise<void> {
    await this.until(({ waiting }) => waiting === count);
  }

  async untilHeld(count: number): Promise<void> {
    await this.until(({ holders }) => holders === count);
  }

  /** Waits until the counters of the server are so. */
  async until(isSo: (statistics: ServerStatistics) => boolean): Promise<void> {
    await until(async () => isSo(await this.bystander.stats()));
  }

  /** Closes the server, and starts another one at its port. */
  async restart(): Promise<void> {
    const { port } = this.server;
    await this.server.server.close();
    this.server = await startServer({}, undefined, {}, port);
    this.bystander = await this.server.client();
  }
}

/** A scene with a server for each test of a suite. */
export function sceneForEachTest(...options: Parameters<typeof startServer>): HoldfastScene {
  const scene = new HoldfastScene();
  beforeEach(() => scene.begin(...options));
  afterEach(endTest);
  return scene;
}
