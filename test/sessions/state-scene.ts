/** Servers, one after the other, on one state directory. */

import { cpSync } from 'node:fs';
import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import type { FullLockServer } from '../../lib/foreign/full-lock-server.ts';
import { openFileLedger } from '../../lib/ledger/file-ledger.ts';
import type { Ledger, LedgerReport } from '../../lib/ledger/ledger.ts';
import type { LockServerLimits } from '../../lib/server/lock-server-limits.ts';
import { endTest, makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { type ServerProgram, startServerProgram } from '../server/running-program.ts';
import { listenOnTcp, makeServer } from '../server/running-server.ts';
import { freePort } from '../support/free-port.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

/** A server in the process of the test. */
export class StateRun {
  readonly logger: RecordingLogger = new RecordingLogger();
  readonly #server: FullLockServer;
  readonly #ledger: Ledger;
  #stopping: Promise<void> | undefined;

  static async start(scene: StateScene, limits: Partial<LockServerLimits>): Promise<StateRun> {
    const report: LedgerReport = { tell: () => {}, fail: (error) => expect.fail(error.message) };
    const ledger = await openFileLedger({ directory: scene.directory, nowMs: Date.now(), report });
    const run = new StateRun(ledger, limits);
    scene.port = await listenOnTcp(run.#server);
    return run;
  }

  private constructor(ledger: Ledger, limits: Partial<LockServerLimits>) {
    this.#ledger = ledger;
    this.#server = makeServer({ logger: this.logger, limits, ledger, forceUnlock: true });
    whenTestEnds(() => this.stop());
  }

  /** Stops it as the program stops itself at a signal. */
  stop(drainMs = 0): Promise<void> {
    this.#stopping ??= this.#server.close({ drainMs }).then(() => this.#ledger.close());
    return this.#stopping;
  }
}

/** The port and the directory of one test. */
class StateScene {
  port = 0;
  directory = '';

  async begin(): Promise<void> {
    this.directory = makeFolder();
    this.port = await freePort();
  }

  /** Starts a server in a process of its own, always on the same port. */
  readonly startProgram = (...args: readonly string[]): Promise<ServerProgram> =>
    startServerProgram('--port', String(this.port), '--state', this.directory, ...args);

  /** Starts a server in this process, on another port each time. */
  readonly start = (limits: Partial<LockServerLimits> = {}): Promise<StateRun> => StateRun.start(this, limits);

  /** Lets the next server find what the files hold now, as after a crash; what the last one still writes, nobody reads. */
  readonly crash = (): void => {
    const copy = makeFolder();
    cpSync(this.directory, copy, { recursive: true });
    this.directory = copy;
  };

  readonly connect = (port: number = this.port): LockClient => {
    const client = new LockClient({ port, reconnect: { minDelayMs: 1, maxDelayMs: 50 } });
    whenTestEnds(() => client.close());
    return client;
  };
}

/** Another port and another directory for each test. */
export function stateForEachTest(): StateScene {
  const scene = new StateScene();
  beforeEach(() => scene.begin());
  afterEach(endTest);
  return scene;
}
