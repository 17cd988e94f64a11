/** The server program: reads the settings and the command line, and runs a lock server until a signal ends it. */

import { VERSION } from '../server/version.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { parseCommandLine, type ReadSettings, readSettings } from './server-command-line.ts';
import type { Settings } from './settings.ts';
import { exitOnFailure, type StartFailure } from './start-failure.ts';

const CODES = {
  usage: EXIT_CODES.usage,
  pidfile: EXIT_CODES.pidfile,
  pidfileTaken: EXIT_CODES.pidfile,
  cannotListen: EXIT_CODES.cannotListen,
};

/** Runs the program with the arguments of the command line. */
export async function runServer(args: readonly string[]): Promise<void> {
  const commandLine = parseCommandLine(args);
  try {
    const read = readSettings(commandLine, process.env);
    const { settings } = read;
    if (commandLine.printSettings) {
      process.stdout.write(`${JSON.stringify(settings, undefined, 2)}\n`);
      return;
    }
    if (commandLine.check) {
      // Only now, as below.
      const { findStartFailures } = await import('./check-settings.ts');
      process.exitCode = tellFailures(await findStartFailures(settings), read);
      return;
    }
    const { clusterImport, clusterExport } = commandLine;
    if (clusterImport !== undefined || clusterExport !== undefined) {
      const { move } = await import('./move.ts');
      await move(settings, clusterImport, clusterExport);
      return;
    }
    const options = {
      source: read.source,
      isStateForced: commandLine.stateForce === true,
      isRaised: commandLine.raise === true,
      isHttpPortGiven: read.isHttpPortGiven,
      ignoredVariables: read.ignoredVariables,
      readAgain: () => readSettings(commandLine, process.env),
    };
    // Only now, since it takes longer to load than all else.
    const { serve } = await import('./serve.ts');
    await serve(settings, CODES, (addresses) => serverStartLine(addresses, settings), options);
  } catch (error) {
    exitOnFailure(error, EXIT_CODES.usage);
  }
}

/** Prints what keeps the server from starting, or that nothing does; returns the exit code of the first reason. */
function tellFailures(failures: readonly StartFailure[], { source, ignoredVariables }: ReadSettings): number {
  for (const variable of ignoredVariables) process.stderr.write(`holdfast: ${variable} is no setting and is ignored\n`);
  for (const { message } of failures) process.stderr.write(`holdfast: ${source}: ${message}\n`);
  if (failures[0] !== undefined) return failures[0].exitCode;
  process.stdout.write(`${source}: ok\n`);
  return EXIT_CODES.ok;
}

/** The settings that the arguments come to. Ends the process when they are no command line. @throws SettingsError when a setting is wrong. */
export function readServerArguments(args: readonly string[], variables: NodeJS.ProcessEnv = {}): Settings {
  return readSettings(parseCommandLine(args), variables).settings;
}

/** Tells where the server listens and who may connect. */
export function serverStartLine(addresses: readonly string[], { allowed }: Pick<Settings, 'allowed'>): string {
  return `holdfast ${VERSION} listens on ${addresses.join(', ')}, allowed: ${allowed.join(', ') || 'nobody'}`;
}
