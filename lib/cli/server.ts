/** The server program: settings and command line in, a lock server that listens out, until a signal ends it. */

import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import type { Logger } from '../message/logger.ts';
import { LockServer } from '../server/lock-server.ts';
import { loadSettings, type Settings, SettingsError, type SettingsOverrides } from '../server/settings.ts';
import { VERSION } from '../server/version.ts';
import { AllowList } from '../transports/allow-list.ts';
import { tcp } from '../transports/tcp.ts';
import { EXIT_CODES, SIGNAL_EXIT_CODE } from './exit-codes.ts';

const DEFAULT_SETTINGS_FILE = fileURLToPath(new URL('../../../config/settings.json', import.meta.url));
const STDERR = 2;
const MS_A_SECOND = 1_000;

interface CommandLine {
  readonly config: string;
  readonly host?: string;
  readonly port?: number;
  readonly allow?: string[];
  readonly verbose?: true;
  readonly printSettings?: true;
}

/** Runs the program with the arguments of the command line. */
export async function runServer(args: readonly string[]): Promise<void> {
  const commandLine = parseCommandLine(args);
  let settings: Settings;
  try {
    settings = loadSettings(commandLine.config, overridesOf(commandLine));
    checkAllowed(settings.allowed);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    stop(EXIT_CODES.usage, error.message);
  }
  if (commandLine.printSettings) {
    process.stdout.write(`${JSON.stringify(settings, undefined, 2)}\n`);
    return;
  }
  await serve(settings);
}

async function serve({ host, port, allowed, verbose, drainSeconds, limits }: Settings): Promise<void> {
  const logger = pino({ level: verbose ? 'debug' : 'info' }, pino.destination({ fd: STDERR, sync: true }));
  const server = new LockServer({ limits, logger });
  let address: string;
  try {
    address = await server.listen(tcp({ host, port, allowed }));
  } catch (error) {
    stop(EXIT_CODES.cannotListen, `cannot listen on ${host}, port ${port}: ${(error as Error).message}`);
  }
  closeOnSignal(server, logger, drainSeconds * MS_A_SECOND);
  process.stdout.write(`holdfast ${VERSION} listens on ${address}, allowed: ${allowed.join(', ') || 'nobody'}\n`);
}

/** The first signal lets clients finish, the second ends the process at once. */
function closeOnSignal(server: LockServer, logger: Logger, drainMs: number): void {
  let isClosing = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (isClosing) process.exit(SIGNAL_EXIT_CODE + constants.signals[signal]);
      isClosing = true;
      logger.info({ signal, drainMs }, 'stopping');
      void server.close({ drainMs }).then(() => process.exit(EXIT_CODES.ok));
    });
  }
}

function parseCommandLine(args: readonly string[]): CommandLine {
  const program = new Command('server')
    .description('A lock server: named locks that live as long as the connection that took them.')
    .option('--config <file>', 'the settings', DEFAULT_SETTINGS_FILE)
    .option('--host <address>', 'listen there instead of at "host"')
    .option('--port <number>', 'listen there instead of at "port"; 0 lets the system choose', parsePort)
    .option('--allow <address...>', 'addresses and CIDR ranges that may connect, instead of "allowed"')
    .option('--verbose', 'log connections and other details too')
    .option('--print-settings', 'print the settings as they come out of all this, and end')
    .version(VERSION)
    .allowExcessArguments(false)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage));
  return program.parse(args, { from: 'user' }).opts<CommandLine>();
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('Expected a whole number from 0 to 65535.');
  return port;
}

function overridesOf({ host, port, allow, verbose }: CommandLine): SettingsOverrides {
  return {
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(allow === undefined ? {} : { allowed: allow }),
    ...(verbose === undefined ? {} : { verbose }),
  };
}

function checkAllowed(allowed: readonly string[]): void {
  for (const [index, entry] of allowed.entries()) {
    try {
      new AllowList([entry]);
    } catch (error) {
      throw new SettingsError(`settings.allowed[${index}]: ${(error as Error).message}`);
    }
  }
}

function stop(exitCode: number, message: string): never {
  process.stderr.write(`holdfast: ${message}\n`);
  process.exit(exitCode);
}
