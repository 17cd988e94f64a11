/** The options of `holdfast run`. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import type { LockItem } from '../../../client/options.ts';
import { parseSeconds } from '../../arguments.ts';
import { HOLDFAST_CODES } from '../exit-codes.ts';
import { Failure } from '../failure.ts';
import type { PlaceOptions } from '../place.ts';

const MAX_EXIT_CODE = 255;
const DEFAULT_KILL_SECONDS = 5;
/** Longer ones would leave too little of a session's 30 seconds. */
const MAX_KILL_SECONDS = 20;
const ON_LOSS = ['term', 'kill', 'ignore'] as const;

/** What a command line of `run` says. */
export interface RunOptions extends PlaceOptions {
  readonly nonblock?: true;
  readonly wait?: number;
  readonly shared?: true;
  readonly limit?: number;
  readonly conflictExitCode: number;
  readonly command?: string;
  readonly close?: true;
  readonly killAfter: number;
  readonly onLoss: (typeof ON_LOSS)[number];
  readonly lease?: number;
}

/** Gives the command its options. */
export function addRunOptions(command: Command): Command {
  return command
    .addOption(new Option('-n, --nonblock', 'fail at once if the lock is not free').conflicts('wait'))
    .option('-w, --wait <seconds>', 'fail if the lock is not granted within that time', parseSeconds)
    .addOption(new Option('-s, --shared', 'take the lock shared instead of exclusive').conflicts('limit'))
    .option('-l, --limit <number>', 'take a permit: at most so many run at once', parseCount)
    .option(
      '-E, --conflict-exit-code <code>',
      'the exit code when it is not granted',
      parseExitCode,
      HOLDFAST_CODES.notGranted,
    )
    .option('-c, --command <string>', 'run this by a shell')
    .option('-o, --close', 'do not let the command inherit what keeps the lock when this program is killed')
    .option(
      '--kill-after <seconds>',
      'after a loss, kill the command so long after TERM',
      parseKillAfter,
      DEFAULT_KILL_SECONDS,
    )
    .addOption(new Option('--on-loss <action>', 'when the lock is lost').choices(ON_LOSS).default('term'))
    .option('--lease <seconds>', 'have the server free the lock when this program is silent for so long', parseLease);
}

/** Which locks: all of the names, in the same mode. @throws Failure for an empty name. */
export function itemsOf(names: string, { shared, limit }: RunOptions): readonly LockItem[] {
  const all = [...new Set(names.split(','))];
  if (all.includes(''))
    throw new Failure(HOLDFAST_CODES.usage, `the lock is ${JSON.stringify(names)}; expected NAME[,NAME...]`);
  return all.map((name): LockItem => {
    if (limit !== undefined) return { name, mode: 'permit', limit };
    return { name, mode: shared === true ? 'shared' : 'exclusive' };
  });
}

/** The command and its arguments. @throws Failure when there is none, or two. */
export function commandOf(given: readonly string[], { command }: RunOptions): readonly string[] {
  const [first, ...rest] = given;
  const words = first === '--' ? rest : given;
  if (command === undefined) {
    // As flock has it: -c may stand behind the name.
    if (words[0] === '-c' && words.length === 2) return shell(words[1] ?? '');
    if (words.length === 0)
      throw new Failure(HOLDFAST_CODES.usage, 'the command is missing; expected NAME -- COMMAND, or -c STRING');
    return words;
  }
  if (words.length > 0)
    throw new Failure(
      HOLDFAST_CODES.usage,
      `the command is ${JSON.stringify(words[0])}; expected none, since there is -c`,
    );
  return shell(command);
}

function shell(command: string): readonly string[] {
  return [process.env.SHELL || '/bin/sh', '-c', command];
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError('Expected a whole number from 1.');
  return count;
}

function parseExitCode(text: string): number {
  const code = Number(text);
  if (!/^\d+$/.test(text) || code > MAX_EXIT_CODE)
    throw new InvalidArgumentError(`Expected a whole number from 0 to ${MAX_EXIT_CODE}.`);
  return code;
}

function parseKillAfter(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds > MAX_KILL_SECONDS)
    throw new InvalidArgumentError(`Expected a number of seconds from 0 to ${MAX_KILL_SECONDS}.`);
  return seconds;
}

function parseLease(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds <= 0) throw new InvalidArgumentError('Expected a number of seconds above 0.');
  return seconds;
}
