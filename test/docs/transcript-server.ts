/** The servers that conversations in the documents are replayed with. */

import { renameSync } from 'node:fs';
import { expect } from 'chai';
import { LockHistory } from '../../lib/history/lock-history.ts';
import { makeFolder } from '../server/clean-up.ts';
import { type ServerProgram, startServerProgram } from '../server/running-program.ts';
import { listenOnTcp, makeServer } from '../server/running-server.ts';
import { StandbyServer } from '../support/standby-server.ts';
import type { Transcript, TranscriptServer } from './transcript.ts';

/** A fresh server, as the settings of the conversation ask for it. */
export async function startTranscriptServer({ settings }: Transcript): Promise<TranscriptServer> {
  const { state = false, cluster, standby, history: isHistoryKept = false, ...options } = settings;
  if (state) return await ProgramWithState.start();
  if (standby !== undefined) return await startStandby(standby);
  const history = isHistoryKept ? new LockHistory({ everything: true }) : undefined;
  const server = makeServer({
    ...options,
    ...(history && { history, observers: [history] }),
    ...(cluster && { cluster: { describe: () => cluster } }),
  });
  return {
    port: await listenOnTcp(server),
    carryOut: async (text) => {
      expect(text).to.equal('the server is told to stop');
      await server.close();
    },
  };
}

async function startStandby(knows: NonNullable<Transcript['settings']['standby']>): Promise<TranscriptServer> {
  const server = await StandbyServer.start();
  if ('leader' in knows) server.findsLeader(knows.leader);
  else server.losesLeader(knows.reason);
  const { port } = server;
  return { port, carryOut: (text) => Promise.reject(new Error(`nobody knows how to do this: ${text}`)) };
}

/** The program with a state directory. What happens to it needs a process. */
class ProgramWithState implements TranscriptServer {
  readonly #directory: string;
  #running: ServerProgram;

  private constructor(directory: string, running: ServerProgram) {
    this.#directory = directory;
    this.#running = running;
  }

  static async start(): Promise<ProgramWithState> {
    const directory = `${makeFolder()}/state`;
    return new ProgramWithState(directory, await startServerProgram('--state', directory));
  }

  get port(): number {
    return this.#running.port;
  }

  async carryOut(text: string): Promise<void> {
    const happen = this.#happenings[text];
    if (happen === undefined) throw new Error(`nobody knows how to do this: ${text}`);
    await happen();
  }

  readonly #happenings: Readonly<Record<string, () => void | Promise<void>>> = {
    'the server is killed and started again': () => this.#restart('SIGKILL'),
    'the server is stopped and started again': () => this.#restart('SIGTERM'),
    'the state directory is moved away': () => renameSync(this.#directory, `${this.#directory}.moved`),
  };

  async #restart(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const { program } = this.#running;
    program.signal(signal);
    await program.exit;
    this.#running = await startServerProgram('--state', this.#directory);
  }
}
