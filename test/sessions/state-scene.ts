/** Servers, one after the other, on one port and one state directory. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LockClient } from '../../lib/client/lock-client.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { type ServerProgram, startServerProgram } from '../server/running-program.ts';
import { freePort } from '../support/free-port.ts';

/** The port and the directory of one test. */
class StateScene {
  port = 0;
  directory = '';

  async begin(): Promise<void> {
    this.directory = mkdtempSync(join(tmpdir(), 'holdfast-state-'));
    whenTestEnds(() => rmSync(this.directory, { recursive: true }));
    this.port = await freePort();
  }

  readonly start = (...args: readonly string[]): Promise<ServerProgram> =>
    startServerProgram('--port', String(this.port), '--state', this.directory, ...args);

  readonly connect = (): LockClient => {
    const client = new LockClient({ port: this.port, reconnect: { minDelayMs: 1, maxDelayMs: 50 } });
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
