/** The honest client beside hostile ones: it locks and unlocks a name of its own, and notes how long it waits for an answer. */

import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { threadTimes } from './processes.ts';

const PAUSE_MS = 5;

/** What a bystander saw. */
export interface Seen {
  readonly count: number;
  readonly worstMs: number;
  /** The worst wait without the time in which the server or the bystander could have run, but the machine did something else. */
  readonly worstOfServerMs: number;
  /** How long the server ran at most while the bystander waited for one answer. */
  readonly worstRanMs: number;
  /** How often a limit kept it from its lock. */
  readonly refused: number;
  readonly problem?: string;
}

/** Whom a bystander watches. */
export interface BystanderOptions {
  readonly port: number;
  readonly serverPid: number;
  /** Whether others may use up what the server has for all. */
  readonly mayBeRefused: boolean;
}

/** The worst waits so far. */
class Waits {
  worstMs = 0;
  worstOfServerMs = 0;
  worstRanMs = 0;
  readonly #serverPid: number;

  constructor(serverPid: number) {
    this.#serverPid = serverPid;
  }

  /** Starts to measure; call the result when the answer has come. */
  begin(): () => void {
    const [server, own] = [threadTimes(this.#serverPid), threadTimes(process.pid)];
    const startMs = performance.now();
    return () => {
      const waitMs = performance.now() - startMs;
      const [serverNow, ownNow] = [threadTimes(this.#serverPid), threadTimes(process.pid)];
      const ofServerMs = waitMs - (serverNow.waitedMs - server.waitedMs) - (ownNow.waitedMs - own.waitedMs);
      this.worstMs = Math.max(this.worstMs, waitMs);
      this.worstOfServerMs = Math.max(this.worstOfServerMs, ofServerMs);
      // The server may have run on while the bystander had its answer and waited for the machine.
      this.worstRanMs = Math.max(this.worstRanMs, Math.min(ofServerMs, serverNow.ranMs - server.ranMs));
    };
  }
}

/** Runs in a process of its own until a message comes, and answers with what it saw. */
export async function beBystander({ port, serverPid, mayBeRefused }: BystanderOptions): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const waits = new Waits(serverPid);
  let problem: string | undefined;
  let count = 0;
  let refused = 0;
  let isOver = false;
  socket.on('error', (error) => {
    problem = error.message;
  });
  socket.on('close', () => {
    problem ??= 'it was cut off';
    socket.emit('data', '');
  });
  process.on('message', () => {
    isOver = true;
  });
  await once(socket, 'connect');
  process.send?.({});
  while (!isOver && problem === undefined) {
    const command = count % 2 === 0 ? 'lock' : 'unlock';
    const end = waits.begin();
    socket.write(`{"command":"${command}","parameters":{"lockName":"bystander"},"id":${count}}\n`);
    const [data] = (await once(socket, 'data')) as [Buffer];
    end();
    const reply = data.toString();
    const isRefused = mayBeRefused && command === 'lock' && reply.includes('"status":"limit"');
    if (isRefused) refused += 1;
    else if (problem === undefined && !reply.includes('"status":"ok"')) problem = reply.slice(0, 200);
    count += isRefused ? 2 : 1;
    await setTimeout(PAUSE_MS);
  }
  const { worstMs, worstOfServerMs, worstRanMs } = waits;
  const seen: Seen = {
    count,
    worstMs,
    worstOfServerMs,
    worstRanMs,
    refused,
    ...(problem !== undefined && { problem }),
  };
  process.send?.(seen);
  process.disconnect();
  socket.destroy();
}
