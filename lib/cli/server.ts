/** The server program: reads the settings and the command line, and runs a lock server until a signal ends it. */

import { VERSION } from '../server/version.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { parseCommandLine, readSettings } from './server-command-line.ts';
import type { Settings } from './settings.ts';
import { exitOnFailure } from './start-failure.ts';

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
    const { clusterImport, clusterExport } = commandLine;
    if (clusterImport !== undefined || clusterExport !== undefined) {
      const { move } = await import('./move.ts');
      await move(settings, clusterImport, clusterExport);
      return;
    }
    const options = {
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

/** The settings that the arguments come to. Ends the process when they are no command line. @throws SettingsError when a setting is wrong. */
export function readServerArguments(args: readonly string[], variables: NodeJS.ProcessEnv = {}): Settings {
  return readSettings(parseCommandLine(args), variables).settings;
}

/** Tells where the server listens and who may connect. */
export function serverStartLine(addresses: readonly string[], { allowed }: Pick<Settings, 'allowed'>): string {
  return `holdfast ${VERSION} listens on ${addresses.join(', ')}, allowed: ${allowed.join(', ') || 'nobody'}`;
}
