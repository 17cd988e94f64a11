/** `holdfast run`: runs a command while it holds a lock. */

import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import { LockClient } from '../../../client/lock-client.ts';
import { type LockLostError, LockTimeoutError } from '../../../client/lock-error.ts';
import type { LockHandle } from '../../../client/lock-handle.ts';
import type { LockItem, LockOptions } from '../../../client/options.ts';
import { whenAborted } from '../../../message/abort-listeners.ts';
import { HOLDFAST_CODES } from '../exit-codes.ts';
import { exitCodeOf, Failure } from '../failure.ts';
import { showText } from '../format.ts';
import { clientOptions, type Place, placeOf } from '../place.ts';
import { openAnchor } from './anchor.ts';
import { Child } from './child.ts';
import { commandOf, itemsOf, type RunOptions } from './run-options.ts';
import { Signals } from './signals.ts';
import { trustedMs, watchTrust } from './trust.ts';
import { noticeWait } from './wait-notice.ts';

const MS_A_SECOND = 1_000;
/** As long as servers allow by default: so a command has the longest time to stop. */
const SESSION_TIMEOUT_MS = 30_000;
/** The end of the command must not wait long for a server that is gone. */
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_NAME_CHARACTERS = 40;

/** What one call of `run` is to do. */
interface Job {
  readonly place: Place;
  readonly options: RunOptions;
  readonly items: readonly LockItem[];
  readonly command: readonly string[];
  readonly signals: Signals;
}

/** All of several locks, or one. */
interface Held {
  readonly handles: readonly LockHandle[];
  readonly waitedMs: number;
}

/** Runs a command under the locks of those names. Resolves to the exit code; says on standard error why when that is not the command's. */
export async function run(names: string, words: readonly string[], options: RunOptions): Promise<number> {
  const signals = new Signals();
  try {
    const command = commandOf(words, options);
    const place = placeOf(options);
    return await runJob({ place, options, items: itemsOf(names, options), command, signals });
  } catch (error) {
    if (signals.stopped.aborted) return signals.stopped.reason as number;
    say((error as Error).message);
    return error instanceof LockTimeoutError ? options.conflictExitCode : exitCodeOf(error);
  }
}

async function runJob(job: Job): Promise<number> {
  const { place, command, signals } = job;
  const name = `${programOf(command).slice(0, MAX_NAME_CHARACTERS)}@${hostname()}:${process.pid}`;
  const session = { timeoutMs: SESSION_TIMEOUT_MS };
  const options = clientOptions(place, { name, session, requestTimeoutMs: REQUEST_TIMEOUT_MS });
  const client = new LockClient(options);
  // Attempts to connect again are told by the wait itself.
  client.on('error', () => {});
  // Closing ends an attempt to connect, which has no signal of its own.
  const stopListening = whenAborted(signals.stopped, () => void client.close());
  try {
    await client.connect();
    const held = await take(client, job);
    stopListening();
    return await runHeld(client, held, job);
  } finally {
    await client.close();
  }
}

/** The name of the program that runs, also by a shell: for those who see who has the lock. */
function programOf([file = '', flag, text = '']: readonly string[]): string {
  const [word = ''] = (flag === '-c' ? text.trim() : '').split(/\s/);
  return basename(word === '' ? file : word);
}

async function take(client: LockClient, { items, options, signals }: Job): Promise<Held> {
  const { nonblock, wait, lease } = options;
  const beganMs = performance.now();
  const waitMs = nonblock === true ? 0 : wait === undefined ? Number.POSITIVE_INFINITY : wait * MS_A_SECOND;
  const leaseMs = lease === undefined ? undefined : lease * MS_A_SECOND;
  const stopNotice = noticeWait(client, items, say);
  try {
    const [{ name, ...mode }] = items as readonly [LockItem];
    const rest = { waitMs, leaseMs, signal: signals.stopped };
    const handles =
      items.length === 1
        ? [await client.lock(name, { ...mode, ...rest } as LockOptions)]
        : (await client.lockAll(items, rest)).handles;
    return { handles, waitedMs: Math.round(performance.now() - beganMs) };
  } finally {
    stopNotice();
  }
}

async function runHeld(client: LockClient, held: Held, { place, options, command, signals }: Job): Promise<number> {
  const { onLoss, close } = options;
  const { timeoutMs = SESSION_TIMEOUT_MS } = client.sessionKey ?? {};
  const killAfterMs = onLoss === 'kill' ? 0 : options.killAfter * MS_A_SECOND;
  const forMs = trustedMs(timeoutMs, killAfterMs);
  if (forMs <= 0) throw new Failure(HOLDFAST_CODES.usage, tooLong(options.killAfter, timeoutMs));
  const anchor = close === true ? undefined : await anchorOf(client, place);
  if (signals.stopped.aborted) {
    anchor?.destroy();
    throw new Error('stopped by a signal');
  }
  const environment = { ...process.env, ...variables(held, place) };
  const child = await Child.start({ command, environment, anchor, leadsGroup: !signals.hasTerminal });
  signals.passTo((signal) => child.signal(signal));
  let loss: string | undefined;
  const lose = (reason: string): void => {
    if (loss !== undefined) return;
    loss = reason;
    say(`${reason}; ${onLoss === 'ignore' ? 'the command goes on' : 'stopping the command'}`);
    if (onLoss !== 'ignore') void child.stop(killAfterMs);
  };
  const stops = [
    ...held.handles.map(({ signal }) => whenAborted(signal, () => lose((signal.reason as LockLostError).message))),
    watchTrust(confirmable(held), timeoutMs, forMs, () => lose('the server does not answer, so the lock may be lost')),
  ];
  const exitCode = await child.exited;
  for (const stop of stops) stop();
  if (loss !== undefined && onLoss !== 'ignore') {
    await child.stop(killAfterMs);
    return HOLDFAST_CODES.lost;
  }
  await Promise.all(held.handles.map((handle) => handle.release()));
  return exitCode;
}

async function anchorOf(client: LockClient, place: Place): Promise<Socket | undefined> {
  const key = client.sessionKey;
  const anchor = key === undefined ? 'the server keeps no session' : await openAnchor(place, key);
  if (typeof anchor !== 'string') return anchor;
  say(`${anchor}: the lock is free when this program is killed, although the command runs on; -o accepts that`);
  return undefined;
}

/** The session is the same for all of the locks. */
function confirmable({ handles }: Held): LockHandle {
  return handles[0] as LockHandle;
}

function variables({ handles, waitedMs }: Held, { servers }: Place): NodeJS.ProcessEnv {
  return {
    HOLDFAST_LOCK: handles.map(({ name }) => name).join(','),
    HOLDFAST_TOKEN: handles.map(({ token }) => token).join(','),
    HOLDFAST_WAITED_MS: String(waitedMs),
    HOLDFAST_SERVER: servers.join(','),
  };
}

function tooLong(seconds: number, timeoutMs: number): string {
  const expected = `less, since the time-out of a session is ${timeoutMs / MS_A_SECOND} s here`;
  return `--kill-after is ${seconds}; expected ${expected}`;
}

function say(line: string): void {
  process.stderr.write(`holdfast: ${showText(line.trim())}\n`);
}
