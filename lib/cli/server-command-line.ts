/** The command line of the server program, and the settings that it comes to with the environment and the file. */

import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { VERSION } from '../server/version.ts';
import { parseBoolean, parsePort } from './arguments.ts';
import { readEnvironment } from './environment.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { setValue, variableOf } from './setting-list.ts';
import { completeSettings, readSettingsFile, type Settings } from './settings.ts';

/** The file that comes with the package. */
export const DEFAULT_SETTINGS_FILE: string = fileURLToPath(new URL('../../../config/settings.json', import.meta.url));
const DEFAULT_WEBSOCKET_PORT = 9_998;

/** The setting of each option that is one. `--ws` and `--unix` change one of the `listeners`. */
const SETTINGS_OF_OPTIONS = {
  host: 'host',
  port: 'port',
  ws: 'listeners',
  unix: 'listeners',
  allow: 'allowed',
  origin: 'origins',
  wsHost: 'hosts',
  http: 'http.port',
  httpHost: 'http.hosts',
  pidfile: 'pidfile',
  state: 'stateDirectory',
  clusterEtcd: 'cluster.etcd',
  clusterNode: 'cluster.node',
  clusterAdvertise: 'cluster.advertise',
  dump: 'dump',
  registry: 'registry',
  forceUnlock: 'forceUnlock',
  tlsCert: 'tls.cert',
  tlsKey: 'tls.key',
  tlsCa: 'tls.ca',
  verbose: 'verbose',
} as const satisfies Partial<Record<keyof CommandLine, string>>;

/** What a command line says. */
export interface CommandLine {
  readonly config: string;
  readonly host?: string;
  readonly port?: number | 'auto';
  readonly ws?: number | 'auto' | true;
  readonly unix?: string;
  readonly allow?: string[];
  readonly origin?: string[];
  readonly wsHost?: string[];
  readonly http?: number | 'auto';
  readonly httpHost?: string[];
  readonly pidfile?: string;
  readonly state?: string;
  readonly stateForce?: true;
  readonly clusterEtcd?: string[];
  readonly clusterNode?: string;
  readonly clusterAdvertise?: string;
  readonly raise?: true;
  readonly clusterImport?: string;
  readonly clusterExport?: string;
  readonly dump?: boolean;
  readonly registry?: boolean;
  readonly forceUnlock?: boolean;
  readonly verbose?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly printSettings?: true;
  readonly check?: true;
}

/** Settings, and where they are from. */
export interface ReadSettings {
  readonly settings: Settings;
  /** For messages: `settings.json with HOLDFAST_PORT and the command line`. */
  readonly source: string;
  /** Whether the port of the status page was asked for, so that it must be free. */
  readonly isHttpPortGiven: boolean;
  /** Variables that begin like those of settings and are none. */
  readonly ignoredVariables: readonly string[];
}

/** Parses the arguments. Ends the process when they are no command line, or ask for help or the version. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const program = makeProgram().exitOverride((error) =>
    process.exit(error.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage),
  );
  return program.parse(args, { from: 'user' }).opts<CommandLine>();
}

/** The options that change a setting: `--tls-cert` for `tls.cert`. */
export function optionsOf(path: string): readonly string[] {
  const names = Object.entries(SETTINGS_OF_OPTIONS).flatMap(([name, setting]) => (setting === path ? [name] : []));
  return makeProgram().options.flatMap((each) => (names.includes(each.attributeName()) ? (each.long ?? []) : []));
}

function makeProgram(): Command {
  return new Command('server')
    .description('A lock server: named locks that live as long as the client that took them.')
    .option('--config <file>', 'the settings', DEFAULT_SETTINGS_FILE)
    .option('--host <address>', 'listen there instead of at "host"')
    .option(
      '--port <number>',
      'listen there instead of at "port"; 0 is nowhere, auto lets the system choose',
      parsePort,
    )
    .option('--ws [number]', `listen for WebSocket too, at ${DEFAULT_WEBSOCKET_PORT} or there; 0 is nowhere`, parsePort)
    .option('--unix <path>', 'listen on a Unix socket too; an empty path is none')
    .option('--allow <address...>', 'addresses and CIDR ranges that may connect, instead of "allowed"')
    .option('--origin <origin...>', 'origins of the pages that may connect, instead of "origins"')
    .option('--ws-host <name...>', 'names by which the pages of the server itself may call it, instead of "hosts"')
    .option('--http <number>', 'status page and metrics there instead of at "http.port"; 0 is nowhere', parsePort)
    .option('--http-host <name...>', 'names by which browsers and monitors may call it, instead of "http.hosts"')
    .option('--pidfile <path>', 'write the process id there and keep a second server out')
    .option('--state <directory>', 'keep there what outlives the process; an empty path is none')
    .option('--state-force', 'start although files in it are damaged, with what can be read')
    .option('--cluster-etcd <url...>', 'belong to the cluster in this etcd, instead of "cluster.etcd"')
    .option('--cluster-node <name>', 'the name of this server in the cluster, instead of "cluster.node"')
    .option('--cluster-advertise <address>', 'where clients reach this server, instead of "cluster.advertise"')
    .option('--raise', 'serve although etcd was set back: when no client holds a lock')
    .option('--cluster-import <directory>', 'move a state directory into the cluster, and end')
    .option('--cluster-export <directory>', 'move the cluster into a new state directory, and end')
    .option('--dump [boolean]', 'let clients ask who holds what', parseBoolean)
    .option('--registry [boolean]', 'let clients register names', parseBoolean)
    .option('--force-unlock [boolean]', 'let clients take away the locks of others', parseBoolean)
    .option('--tls-cert <file>', 'serve TLS with this certificate')
    .option('--tls-key <file>', 'its key')
    .option('--tls-ca <file>', 'require certificates of clients, from these authorities')
    .option('--verbose [boolean]', 'log connections and other details too', parseBoolean)
    .option('--check', 'tell whether the server would start, without starting it, and end')
    .option('--print-settings', 'print the settings as they come out of all this, and end')
    .version(VERSION)
    .allowExcessArguments(false);
}

/**
 * Reads the settings: the command line before the environment, that before the file, and the file before the defaults.
 * @throws SettingsError when one is wrong.
 */
export function readSettings(commandLine: CommandLine, variables: NodeJS.ProcessEnv): ReadSettings {
  const { config } = commandLine;
  const given = { ...readSettingsFile(config) };
  const environment = readEnvironment(variables);
  for (const [path, value] of environment.values) setValue(given, path, value);
  const isOverridden = override(given, commandLine);
  const sources = [...environment.values.keys()].map(variableOf);
  if (isOverridden) sources.push('the command line');
  const source = sources.length === 0 ? config : `${config} with ${sources.join(', ')}`;
  return {
    settings: completeSettings(given, source),
    source,
    isHttpPortGiven: commandLine.http !== undefined || environment.values.has('http.port'),
    ignoredVariables: environment.ignored,
  };
}

/** Returns whether the command line says anything about settings. */
function override(given: Record<string, unknown>, commandLine: CommandLine): boolean {
  let isOverridden = false;
  for (const [option, path] of Object.entries(SETTINGS_OF_OPTIONS)) {
    const value = commandLine[option as keyof typeof SETTINGS_OF_OPTIONS];
    if (value === undefined) continue;
    isOverridden = true;
    if (path !== 'listeners') setValue(given, path, value);
  }
  const { ws, unix } = commandLine;
  const webSocketPort = ws === true ? DEFAULT_WEBSOCKET_PORT : ws;
  if (webSocketPort !== undefined) replaceListener(given, 'websocket', webSocketPort !== 0, { port: webSocketPort });
  if (unix !== undefined) replaceListener(given, 'unix', unix !== '', { path: unix });
  return isOverridden;
}

/** Changes the first listener of a transport, or adds one. Leaves the transport out if it is switched off. */
function replaceListener(given: Record<string, unknown>, transport: string, isOn: boolean, properties: object): void {
  const listeners = Array.isArray(given.listeners) ? given.listeners : [];
  const isOfTransport = (each: unknown): boolean => (each as { transport?: unknown } | null)?.transport === transport;
  const known = (listeners.find(isOfTransport) ?? {}) as object;
  const others = listeners.filter((each) => !isOfTransport(each));
  given.listeners = isOn ? [...others, { ...known, transport, enabled: true, ...properties }] : others;
}
