/** The program `holdfast`: one command for each thing that a person asks of a lock server. */

import { constants } from 'node:os';
import { Argument, Command, CommanderError } from 'commander';
import { VERSION } from '../../server/version.ts';
import { completionFor, SHELLS } from './completion.ts';
import { HOLDFAST_CODES, SIGNAL_CODE } from './exit-codes.ts';
import { exitCodeOf } from './failure.ts';
import { showText } from './format.ts';
import * as help from './help.ts';
import { addPlaceOptions, type PlaceOptions } from './place.ts';
import { addCheck, addQueries } from './queries.ts';
import { print } from './query.ts';
import { addRunOptions, type RunOptions } from './run/run-options.ts';

/** Runs the program with the arguments of the command line; sets the exit code. */
export async function runHoldfast(args: readonly string[]): Promise<void> {
  process.stdout.on('error', endUnprinted);
  // A command goes on under its lock although nobody reads what this program says.
  process.stderr.on('error', () => {});
  try {
    process.exitCode = await runCommandLine(args);
  } catch (error) {
    process.stderr.write(`holdfast: ${showText((error as Error).message.trim())}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

/** Who reads no further, such as head, wants no more; but a full disk must not pass for that. */
function endUnprinted({ code, message }: NodeJS.ErrnoException): never {
  if (code === 'EPIPE') process.exit(SIGNAL_CODE + constants.signals.SIGPIPE);
  process.stderr.write(`holdfast: cannot print: ${message}\n`);
  process.exit(HOLDFAST_CODES.failure);
}

async function runCommandLine(args: readonly string[]): Promise<number> {
  let exitCode: number = HOLDFAST_CODES.ok;
  const program = makeProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // It has printed the help, the version, or what is wrong.
    return error.exitCode === 0 ? HOLDFAST_CODES.ok : HOLDFAST_CODES.usage;
  }
}

/** All commands with their options. `end` is told the exit code of the one that ran. */
export function makeProgram(end: (exitCode: number) => void): Command {
  const program = addPlaceOptions(new Command('holdfast'))
    .description('Asks a lock server, and runs commands under its locks.')
    .version(VERSION)
    .enablePositionalOptions()
    .showHelpAfterError('(holdfast --help tells more)')
    .exitOverride();
  const add = (name: string, description: string, examples: string): Command => {
    const command = addPlaceOptions(program.command(name)).description(description);
    return command.addHelpText('after', `\nExamples:\n${examples}`);
  };
  addRunOptions(add('run', 'Runs a command while it holds a lock.', help.RUN_HELP))
    .argument('<name>', 'the lock, or several with commas between them')
    .argument('[command...]', 'behind --: the command and its arguments')
    .passThroughOptions()
    .action(async (names: string, words: string[], options: RunOptions) => {
      const { run } = await import('./run/run.ts');
      end(await run(names, words, { ...globals(), ...options }));
    });
  const query = (name: string, description: string, examples: string): Command =>
    add(name, description, examples).option('--json', 'print one JSON object a line');
  addQueries(query, globals, end);
  addCheck(add('check', 'Checks the settings of a server, or a running one.', help.CHECK_HELP), globals, end);
  program
    .command('completion')
    .description('Prints the script by which a shell completes commands and options.')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText('after', `\nExamples:\n${help.COMPLETION_HELP}`)
    .action((shell: (typeof SHELLS)[number]) => print(completionFor(shell, program)));
  return program;

  function globals(): PlaceOptions {
    return program.opts<PlaceOptions>();
  }
}
