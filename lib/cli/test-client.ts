/** A demonstration for people to watch: takes a lock, holds it for a while, releases it and lingers. */

import { Command, Option } from 'commander';
import { LockClient, type LockClientOptions } from '../client/lock-client.ts';
import { LockError } from '../client/lock-error.ts';
import type { LockHandle } from '../client/lock-handle.ts';
import { startTimeout } from '../message/timeout.ts';
import { VERSION } from '../server/version.ts';
import { addServer, parseSeconds, parseTargetPort } from './arguments.ts';
import { EXIT_CODES } from './exit-codes.ts';

const MS_A_SECOND = 1_000;

interface CommandLine {
  readonly host: string;
  readonly port: number;
  readonly server?: readonly string[];
  readonly name: string;
  readonly timeLimit: number;
  readonly hold: number;
  readonly linger: number;
}

/**
 * Runs the program with the arguments of the command line. The exit code is 1 if it did not get the lock or lost it.
 */
export async function runTestClient(args: readonly string[]): Promise<void> {
  const { host, port, server, name, timeLimit, hold, linger } = parseCommandLine(args);
  // Of several servers another one may go on with the session.
  const place: LockClientOptions = server === undefined ? { host, port, reconnect: false } : { servers: server };
  let client: LockClient;
  try {
    client = await LockClient.connect(place);
  } catch (error) {
    const where = server?.join(', ') ?? `${host}, port ${port}`;
    process.stderr.write(`Cannot connect to ${where}: ${(error as Error).message}\n`);
    process.exitCode = EXIT_CODES.failure;
    return;
  }
  const handle = await take(client, name, timeLimit * MS_A_SECOND);
  if (handle === undefined) {
    say('Did not get lock');
    process.exitCode = EXIT_CODES.failure;
  } else {
    say('Got lock');
    await keep(handle, hold * MS_A_SECOND);
    await delay(linger * MS_A_SECOND);
  }
  await client.close();
}

async function take(client: LockClient, name: string, waitMs: number): Promise<LockHandle | undefined> {
  const granted = client.lock(name, { waitMs });
  // The request goes out with this turn's microtasks, so a program that reads "Waiting" can only ask after it.
  await Promise.resolve();
  say('Waiting');
  try {
    return await granted;
  } catch (error) {
    if (!(error instanceof LockError && error.code === 'timeout'))
      process.stderr.write(`${(error as Error).message}\n`);
    return undefined;
  }
}

async function keep(handle: LockHandle, holdMs: number): Promise<void> {
  await delay(holdMs, handle.signal);
  if (handle.signal.aborted) {
    say('Lost lock');
    process.exitCode = EXIT_CODES.failure;
    return;
  }
  say('Offering to unlock');
  await handle.release();
}

/** Resolves after that time, which may be longer than a timer can wait, or when the signal aborts. */
function delay(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const stop = startTimeout(delayMs, resolve);
    signal?.addEventListener('abort', () => {
      stop();
      resolve();
    });
  });
}

function parseCommandLine(args: readonly string[]): CommandLine {
  const program = new Command('testClient')
    .description('Takes a lock, holds it, releases it and lingers before it goes. Times are seconds.')
    .option('--host <address>', 'where the server is', '127.0.0.1')
    .option('--port <number>', 'its port', parseTargetPort, 20_934)
    .addOption(
      new Option('--server <address>', 'one of several servers, such as a:20934; once for each')
        .argParser(addServer)
        .conflicts(['host', 'port']),
    )
    .option('--name <name>', 'the lock', 'test')
    .option('--time-limit <seconds>', 'how long to wait for the lock', parseSeconds, 30)
    .option('--hold <seconds>', 'how long to hold it', parseSeconds, 10)
    .option('--linger <seconds>', 'how long to stay connected afterwards', parseSeconds, 10)
    .version(VERSION)
    .allowExcessArguments(false)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage));
  return program.parse(args, { from: 'user' }).opts<CommandLine>();
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
