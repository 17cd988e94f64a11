/** The settings of the server program: their types, and the rules between them. */

import { readFileSync } from 'node:fs';
import type { Protocol } from '../foreign/full-lock-server.ts';
import type { Dialect } from '../foreign/line/line-dialects.ts';
import { show } from '../message/show.ts';
import { type Problem, SchemaCompiler, type Validator } from '../message/validation.ts';
import type { LockServerLimits } from '../server/lock-server-limits.ts';
import { type ClusterSettings, findClusterProblem } from './cluster-settings.ts';
import type { AutoLimit } from './limits-schema.ts';
import { setValue } from './setting-list.ts';
import { settingsSchema } from './settings-schema.ts';

/** A TCP port: 0 for none, `auto` to let the system choose. */
export type Port = number | 'auto';

/** Files in PEM; an empty name means no file. */
export interface TlsSettings {
  readonly cert: string;
  readonly key: string;
  /** The authorities. If they are set, clients must have a certificate from one of them. */
  readonly ca: string;
}

/** A further way to connect, besides `host` and `port`. Members that are left out have the values of the main port. */
export interface ListenerSettings {
  readonly enabled: boolean;
  readonly transport: 'tcp' | 'unix' | 'websocket';
  readonly host?: string;
  readonly port?: Port;
  readonly allowed?: readonly string[];
  /** Whether clients come through a proxy, which may close a connection although its client is still there. */
  readonly proxied?: boolean;
  /** Addresses and CIDR ranges of proxies that tell by the PROXY protocol where their clients are. */
  readonly proxies?: readonly string[];
  /** Whether its clients may use `forceUnlock` and `kill`; true for Unix sockets by default. */
  readonly admin?: boolean;
  /** The protocols to serve; all by default, except `prefixed` on WebSocket. */
  readonly protocols?: readonly Protocol[];
  /** The dialect of the line protocol; `glockd` by default. */
  readonly dialect?: Dialect;
  /** Unix sockets: the file, its mode in octal, and the user and group that own it. */
  readonly path?: string;
  readonly mode?: string;
  readonly owner?: string;
  readonly group?: string;
  readonly tls?: TlsSettings;
}

/** The status page, the metrics and the health checks. */
export interface HttpSettings {
  readonly host: string;
  readonly port: Port;
  /** Names by which the server may be called, beside addresses and `localhost`. */
  readonly hosts: readonly string[];
  /** Addresses and CIDR ranges that may ask; those of the main port if it is left out. */
  readonly allowed?: readonly string[];
  readonly maxConnections: number;
}

/** All settings; `config/settings.json` has each with its default. */
export interface Settings {
  /** The address to listen on. */
  readonly host: string;
  readonly port: Port;
  /** Addresses and CIDR ranges that may connect. */
  readonly allowed: readonly string[];
  readonly listeners: readonly ListenerSettings[];
  /** WebSocket: origins of the pages that may connect, and names by which the server's own pages may call it. */
  readonly origins: readonly string[];
  readonly hosts: readonly string[];
  readonly tls: TlsSettings;
  readonly http: HttpSettings;
  /** Names of locks that the metrics tell together. */
  readonly metrics: { readonly groups: readonly { readonly match: string; readonly name: string }[] };
  /** The file for the process id, which also keeps a second server out; empty for none. */
  readonly pidfile: string;
  /** The state directory; empty for none. */
  readonly stateDirectory: string;
  readonly cluster: ClusterSettings;
  /** The user and group to become once all listeners are open; empty for no change. */
  readonly user: string;
  readonly group: string;
  /** Whether clients may list holders and waiters, and register names. */
  readonly dump: boolean;
  readonly registry: boolean;
  /**
   * Whether any client may take the locks of others: `forceUnlock`, and `steal` even if the holders did not agree to
   * it.
   */
  readonly forceUnlock: boolean;
  /** Whether to log connections and other details too. */
  readonly verbose: boolean;
  /** How many seconds the server waits for holders to release their locks when it is told to stop. */
  readonly drainSeconds: number;
  /** How many milliseconds a handshake of TLS or of WebSocket may take. */
  readonly handshakeTimeoutMs: number;
  readonly history: HistorySettings;
  readonly log: LogSettings;
  readonly limits: LimitSettings;
}

/** What is remembered of each lock once it is over. */
export interface HistorySettings {
  readonly enabled: boolean;
  /** How many records are kept in memory. */
  readonly maxRecords: number;
  /** A hold that was released within so many milliseconds, and was not waited for, gets no record. */
  readonly minHeldMs: number;
  /** Whether each hold and each refused request gets a record. */
  readonly everything: boolean;
  /** The directory for files of all records; empty for none. */
  readonly directory: string;
  /** How large a file gets before the next begins, and how many are kept. */
  readonly maxFileBytes: number;
  readonly maxFiles: number;
}

/** What is logged beside errors and refusals. */
export interface LogSettings {
  /** A request that waits for so many milliseconds gets a line; 0 for none. */
  readonly waitsOver: number;
}

/** The limits of a lock server. */
type LimitSettings = Omit<LockServerLimits, AutoLimit> & Readonly<Record<AutoLimit, number | 'auto'>>;

/** The settings are wrong or cannot be read. The message is one line for people. */
export class SettingsError extends Error {
  override readonly name: string = 'SettingsError';
}

/** Runs a function of settings. @throws SettingsError that names their source, when the function throws. */
export function inSource<Result>(source: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    throw new SettingsError(`${source}: ${(error as Error).message}`);
  }
}

let validator: Validator | undefined;

/**
 * Reads the settings of a file, unchecked.
 * @throws SettingsError when the file cannot be read or is not a JSON object.
 */
export function readSettingsFile(file: string): Readonly<Record<string, unknown>> {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SettingsError(`cannot read the settings: ${(error as Error).message}`);
  }
  try {
    const settings: unknown = JSON.parse(content.replace(/^\ufeff/, ''));
    if (typeof settings === 'object' && settings !== null && !Array.isArray(settings)) return { ...settings };
  } catch (error) {
    throw new SettingsError(`${file}: not JSON: ${(error as Error).message}`);
  }
  throw new SettingsError(`${file}: expected an object of settings`);
}

/**
 * Checks the settings and fills in defaults. `source` names them in messages: the name of their file.
 * @throws SettingsError when one is unknown or wrong.
 */
export function completeSettings(given: Readonly<Record<string, unknown>>, source: string): Settings {
  const settings: unknown = structuredClone(given);
  const problem = complete(settings) ?? findContradiction(settings as Settings);
  if (problem !== undefined) throw new SettingsError(`${source}: ${problem.message}`);
  return settings as Settings;
}

/** Checks one setting by itself. @throws SettingsError when its value is wrong. */
export function checkSetting(path: string, value: unknown, source: string): void {
  const settings = {};
  // A copy, since the check fills in defaults.
  setValue(settings, path, structuredClone(value));
  const problem = complete(settings);
  if (problem !== undefined) throw new SettingsError(`${source}: ${problem.message}`);
}

/** Fills in defaults, and returns the first thing that is wrong. */
function complete(settings: unknown): Problem | undefined {
  // Compiled only when it is needed, so that `--version` does not wait for it.
  validator ??= new SchemaCompiler('fillDefaults').compile(settingsSchema, 'settings');
  return validator.isValid(settings) ? undefined : validator.problems()[0];
}

/** Finds contradictions between settings, which no schema of a single setting can find. */
function findContradiction({ limits, listeners, user, group, cluster }: Settings): Problem | undefined {
  // No single reply may fill the buffer and cut a client off. JSON may take six characters for one of a name.
  const leastHardOutputBytes = limits.softOutputBytes + 6 * limits.maxPageBytes;
  if (limits.hardOutputBytes < leastHardOutputBytes) {
    const field = 'settings.limits.hardOutputBytes';
    const expected = `softOutputBytes and six times maxPageBytes, ${leastHardOutputBytes}, or more`;
    return { field, message: `${field} is ${limits.hardOutputBytes}; expected ${expected}` };
  }
  if (user !== '' && group === '') {
    return { field: 'settings.group', message: 'settings.group is ""; expected a group, since there is settings.user' };
  }
  for (const [index, each] of listeners.entries()) {
    const problem = findListenerProblem(each, `settings.listeners[${index}]`);
    if (problem !== undefined) return problem;
  }
  return findClusterProblem(cluster, limits);
}

const UNIX_ONLY = ['path', 'mode', 'owner', 'group'] as const;
const NETWORK_ONLY = ['host', 'port', 'allowed', 'proxies', 'tls'] as const;

/** Each transport needs some settings and cannot use others. */
function findListenerProblem(listener: ListenerSettings, at: string): Problem | undefined {
  const { transport, protocols, proxied = false, proxies } = listener;
  const needed = transport === 'unix' ? 'path' : 'port';
  if (listener[needed] === undefined) {
    return { field: `${at}.${needed}`, message: `${at}.${needed} is missing; a listener on ${transport} needs it` };
  }
  for (const name of transport === 'unix' ? NETWORK_ONLY : UNIX_ONLY) {
    const value = listener[name];
    if (value === undefined) continue;
    return { field: `${at}.${name}`, message: `${at}.${name} is ${show(value)}; expected none on ${transport}` };
  }
  if (proxies !== undefined && !proxied) {
    const field = `${at}.proxied`;
    return { field, message: `${field} is ${show(listener.proxied)}; expected true, since there is ${at}.proxies` };
  }
  if (transport === 'websocket' && protocols?.includes('prefixed')) {
    const field = `${at}.protocols`;
    return { field, message: `${field} is ${show(protocols)}; expected "ndjson" or "line" on websocket` };
  }
  return undefined;
}
