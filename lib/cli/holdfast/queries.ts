/** The commands that ask a server, with their options. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import type { BenchOptions } from './bench/bench.ts';
import type { CheckOptions } from './check.ts';
import * as help from './help.ts';
import { type HistoryOptions, history } from './history.ts';
import { inspect } from './inspect.ts';
import { type ListOptions, list, ORDERS } from './list.ts';
import type { PlaceOptions } from './place.ts';
import type { QueryOptions } from './query.ts';
import { cluster, kill, type ReleaseOptions, release, stats, who } from './server-commands.ts';
import { parseMoment, parseSeconds } from './times.ts';
import { SORTS } from './top/page.ts';
import type { TopOptions } from './top/top.ts';
import { type WatchOptions, watch } from './watch.ts';
import { why } from './why.ts';

const MS_A_SECOND = 1_000;
const DEFAULT_LISTED = 1_000;
const DEFAULT_RECORDS = 100;
const MAX_LISTED = 100_000;
const MAX_CONNECTIONS = 1_000;
const DEFAULT_EVERY_MS = 2_000;
const DEFAULT_BENCH_MS = 5_000;
const MAX_DEPTH = 100;

type MakeQuery = (name: string, description: string, examples: string) => Command;

/** Adds `check`, which prints for people and for nagios alone. */
export function addCheck(command: Command, globals: () => PlaceOptions, end: (exitCode: number) => void): void {
  command
    .option('--config <file>', 'the settings of a server; by default those that come with it')
    .option('--live', 'ask a running server, and end as a plug-in of nagios does: 0, 1 or 2')
    .option('--warning <number>', 'with --live: warn when so many wait', parseThreshold)
    .option('--critical <number>', 'with --live: critical when so many wait', parseThreshold)
    .action(async (options: CheckOptions) => {
      const { check } = await import('./check.ts');
      end(await check({ ...globals(), ...options }));
    });
}

/** Adds them all. `globals` are the options before the command; `end` is told the exit code of the one that ran. */
export function addQueries(query: MakeQuery, globals: () => PlaceOptions, end: (exitCode: number) => void): void {
  addLockQueries(query, globals, end);
  addServerQueries(query, globals, end);
}

function addLockQueries(query: MakeQuery, globals: () => PlaceOptions, end: (exitCode: number) => void): void {
  query('ls', 'Lists the locks that are held or waited for.', help.LIST_HELP)
    .argument('[prefix]', 'only locks whose names begin with it', '')
    .addOption(new Option('--sort <order>', 'which come first').choices(Object.keys(ORDERS)).default('name'))
    .addOption(new Option('--mode <mode>', 'only those held or awaited so').choices(['exclusive', 'shared', 'permit']))
    .option('--max <number>', 'how many at most', upTo(MAX_LISTED), DEFAULT_LISTED)
    .option('--watch', 'show the list again and again')
    .addOption(everyOption('with --watch: how often, in seconds'))
    .action(async (prefix: string, options: ListOptions) => end(await list(prefix, { ...globals(), ...options })));
  query('inspect', 'Shows who has a lock and who waits for it.', help.INSPECT_HELP)
    .argument('<name>', 'the lock')
    .action(async (name: string, options: QueryOptions) => end(await inspect(name, { ...globals(), ...options })));
  query('history', 'Shows what happened to locks and is over, the newest first.', help.HISTORY_HELP)
    .argument('[name]', 'only this lock')
    .option('--prefix <prefix>', 'only locks whose names begin with it')
    .option('--at <time>', 'only what was so at that time', (text) => parseMoment(text))
    .option('--since <time>', 'only what lasted until then or later', (text) => parseMoment(text))
    .option('--until <time>', 'only what had begun by then', (text) => parseMoment(text))
    .option('--reason <reason>', 'only what ended so')
    .option('--max <number>', 'how many at most', upTo(MAX_LISTED), DEFAULT_RECORDS)
    .action(async (name: string | undefined, options: HistoryOptions) => {
      end(await history(name, { ...globals(), ...options }));
    });
  query('watch', 'Shows what happens to locks, as it happens.', help.WATCH_HELP)
    .argument('[name]', 'only this lock')
    .option('--prefix <prefix>', 'only locks whose names begin with it')
    .option('--max <number>', 'how many events, then end; without it there is no end', upTo(MAX_LISTED))
    .action(async (name: string | undefined, options: WatchOptions) =>
      end(await watch(name, { ...globals(), ...options })),
    );
  query('why', 'Shows why a client waits: the chain of who waits for whom.', help.WHY_HELP)
    .argument('<client>', 'its name or its address')
    .action(async (client: string, options: QueryOptions) => end(await why(client, { ...globals(), ...options })));
}

function addServerQueries(query: MakeQuery, globals: () => PlaceOptions, end: (exitCode: number) => void): void {
  query('who', 'Lists the clients that have a name.', help.WHO_HELP)
    .argument('[name]', 'only those of that name')
    .action(async (name: string | undefined, options: QueryOptions) =>
      end(await who(name, { ...globals(), ...options })),
    );
  query('stats', 'Shows the counters of the server.', help.STATS_HELP).action(async (options: QueryOptions) =>
    end(await stats({ ...globals(), ...options })),
  );
  query('top', 'Shows the longest waits and holds, rates and limits, again and again.', help.TOP_HELP)
    .addOption(everyOption('how often, in seconds'))
    .addOption(new Option('--sort <order>', 'how waits and holds are sorted').choices(SORTS).default('time'))
    .option('--once', 'print once, after that time, without a terminal')
    .action(async (options: TopOptions) => {
      const { top } = await import('./top/top.ts');
      end(await top({ ...globals(), ...options }));
    });
  query('release', 'Takes a lock away from all its holders, if the server allows that.', help.RELEASE_HELP)
    .argument('<name>', 'the lock')
    .option('--permit', 'the permit of that name')
    .action(async (name: string, options: ReleaseOptions) => end(await release(name, { ...globals(), ...options })));
  query('kill', 'Ends the sessions of a client, if the server allows that: its locks are free.', help.KILL_HELP)
    .argument('<client>', 'its address or its name')
    .action(async (client: string, options: QueryOptions) => end(await kill(client, { ...globals(), ...options })));
  query('bench', 'Measures how much a server of yours does: locks and unlocks as fast as it answers.', help.BENCH_HELP)
    .option('--connections <number>', 'how many clients', upTo(MAX_CONNECTIONS), 50)
    .addOption(secondsOption('--seconds <number>', 'how long, after a fifth more to warm up', DEFAULT_BENCH_MS))
    .option('--depth <number>', 'how many locks each client asks for at the same time', upTo(MAX_DEPTH), 1)
    .option('--names <number>', 'how many locks there are in all', upTo(MAX_LISTED), 1_000)
    .option('--one', 'all ask for the same lock: measures how fast it is handed on')
    .option('--yes', 'although others hold locks there')
    .action(async (options: BenchOptions) => {
      const { bench } = await import('./bench/bench.ts');
      end(await bench({ ...globals(), ...options }));
    });
  query('cluster', 'Shows which servers there are, and which one leads.', help.CLUSTER_HELP).action(
    async (options: QueryOptions) => end(await cluster({ ...globals(), ...options })),
  );
}

function everyOption(description: string): Option {
  return secondsOption('--every <seconds>', description, DEFAULT_EVERY_MS);
}

/** A length of time, in seconds on the command line and in milliseconds for us. */
function secondsOption(flags: string, description: string, defaultMs: number): Option {
  return new Option(flags, description).argParser(parseSeconds).default(defaultMs, String(defaultMs / MS_A_SECOND));
}

function parseThreshold(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && Number.isSafeInteger(count)) return count;
  throw new InvalidArgumentError('Expected a whole number from 1.');
}

function upTo(max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from 1 to ${max}.`);
  };
}
