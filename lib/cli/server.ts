/** The server program: reads the settings and the command line, and runs a lock server until a signal ends it. */

import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { VERSION } from '../server/version.ts';
import { parseBoolean, parsePort } from './arguments.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { completeSettings, readSettingsFile, type Settings } from './settings.ts';
import { exitOnFailure } from './start-failure.ts';

const DEFAULT_SETTINGS_FILE = fileURLToPath(new URL('../../../config/settings.json', import.meta.url));
const DEFAULT_WEBSOCKET_PORT = 9_998;
/** Options that change no setting. */
const NO_SETTINGS = ['config', 'printSettings', 'stateForce', 'raise', 'clusterImport', 'clusterExport'];
const CODES = {
  usage: EXIT_CODES.usage,
  pidfile: EXIT_CODES.pidfile,
  pidfileTaken: EXIT_CODES.pidfile,
  cannotListen: EXIT_CODES.cannotListen,
};

interface CommandLine {
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
}

/** Runs the program with the arguments of the command line. */
export async function runServer(args: readonly string[]): Promise<void> {
  const commandLine = parseCommandLine(args);
  try {
    const settings = settingsOf(commandLine);
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
      isHttpPortGiven: commandLine.http !== undefined,
    };
    // Only now, since it takes longer to load than all else.
    const { serve } = await import('./serve.ts');
    await serve(settings, CODES, (addresses) => serverStartLine(addresses, settings), options);
  } catch (error) {
    exitOnFailure(error, EXIT_CODES.usage);
  }
}

/** The settings that the arguments come to. Ends the process when they are no command line. @throws SettingsError when a setting is wrong. */
export function readServerArguments(args: readonly string[]): Settings {
  return settingsOf(parseCommandLine(args));
}

/** Tells where the server listens and who may connect. */
export function serverStartLine(addresses: readonly string[], { allowed }: Pick<Settings, 'allowed'>): string {
  return `holdfast ${VERSION} listens on ${addresses.join(', ')}, allowed: ${allowed.join(', ') || 'nobody'}`;
}

function parseCommandLine(args: readonly string[]): CommandLine {
  const program = new Command('server')
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
    .option('--print-settings', 'print the settings as they come out of all this, and end')
    .version(VERSION)
    .allowExcessArguments(false)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage));
  return program.parse(args, { from: 'user' }).opts<CommandLine>();
}

/** The settings of the file, overridden by the command line. */
function settingsOf(commandLine: CommandLine): Settings {
  const { config, host, port, ws, unix, allow, origin, wsHost } = commandLine;
  const { pidfile, state, dump, registry, forceUnlock, verbose } = commandLine;
  const file = readSettingsFile(config);
  const given: Record<string, unknown> = { ...file };
  const pages = { origins: origin, hosts: wsHost };
  const overrides = {
    host,
    port,
    allowed: allow,
    ...pages,
    pidfile,
    stateDirectory: state,
    dump,
    registry,
    forceUnlock,
    verbose,
  };
  for (const [name, value] of Object.entries(overrides)) if (value !== undefined) given[name] = value;
  const { tlsCert, tlsKey, tlsCa, clusterEtcd, clusterNode, clusterAdvertise } = commandLine;
  overrideMembers(given, 'tls', { cert: tlsCert, key: tlsKey, ca: tlsCa });
  overrideMembers(given, 'http', { port: commandLine.http, hosts: commandLine.httpHost });
  overrideMembers(given, 'cluster', { etcd: clusterEtcd, node: clusterNode, advertise: clusterAdvertise });
  const webSocketPort = ws === true ? DEFAULT_WEBSOCKET_PORT : ws;
  if (webSocketPort !== undefined) replaceListener(given, 'websocket', webSocketPort !== 0, { port: webSocketPort });
  if (unix !== undefined) replaceListener(given, 'unix', unix !== '', { path: unix });
  const isChanged = Object.entries(commandLine).some(([name]) => !NO_SETTINGS.includes(name));
  return completeSettings(given, isChanged ? `${config} with the command line` : config);
}

function overrideMembers(
  given: Record<string, unknown>,
  setting: string,
  members: Readonly<Record<string, unknown>>,
): void {
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined) given[setting] = { ...(given[setting] as object | undefined), [name]: value };
  }
}

/** Changes the first listener of a transport, or adds one. Leaves the transport out if it is switched off. */
function replaceListener(given: Record<string, unknown>, transport: string, isOn: boolean, properties: object): void {
  const listeners = Array.isArray(given.listeners) ? given.listeners : [];
  const isOfTransport = (each: unknown): boolean => (each as { transport?: unknown } | null)?.transport === transport;
  const known = (listeners.find(isOfTransport) ?? {}) as object;
  const others = listeners.filter((each) => !isOfTransport(each));
  given.listeners = isOn ? [...others, { ...known, transport, enabled: true, ...properties }] : others;
}
