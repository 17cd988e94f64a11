/** The settings of the server program: their types, rules and defaults. */

import { readFileSync } from 'node:fs';
import type { Protocol } from '../foreign/full-lock-server.ts';
import type { Dialect } from '../foreign/line/line-dialects.ts';
import { show } from '../message/show.ts';
import { type JsonSchema, type Problem, SchemaCompiler, type Validator } from '../message/validation.ts';
import { DEFAULT_LOCK_SERVER_LIMITS, type LockServerLimits } from '../server/lock-server-limits.ts';
import { DEFAULT_HANDSHAKE_TIMEOUT_MS } from '../transports/tls.ts';
import { type ClusterSettings, clusterSchema, findClusterProblem } from './cluster-settings.ts';

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
  /** Unix sockets: the file, and its mode in octal. */
  readonly path?: string;
  readonly mode?: string;
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

/** Limits that may be `auto`: the server takes them from the heap of the process. */
type AutoLimit = 'maxTableBytes' | 'totalOutputBytes' | 'totalInputBytes';

/** The limits of a lock server. */
type LimitSettings = Omit<LockServerLimits, AutoLimit> & Readonly<Record<AutoLimit, number | 'auto'>>;

/** The settings are wrong or cannot be read. The message is one line for people. */
export class SettingsError extends Error {
  override readonly name: string = 'SettingsError';
}

/** Where the status page is unless another port is asked for. */
export const DEFAULT_HTTP_PORT = 20_935;
const MAX_GROUPS = 100;
const MAX_DRAIN_SECONDS = 86_400;

const text = (description: string): JsonSchema => ({ type: 'string', default: '', description });
const flag = (value: boolean): JsonSchema => ({ type: 'boolean', default: value, description: 'true or false' });
const host: JsonSchema = { type: 'string', minLength: 1, description: 'an address or a host name' };
const port: JsonSchema = {
  anyOf: [{ type: 'integer', minimum: 0, maximum: 65_535 }, { const: 'auto' }],
  description: 'a whole number from 0 to 65535, or "auto"',
};
const addresses: JsonSchema = {
  type: 'array',
  items: { type: 'string', description: 'an address or a CIDR range, a string' },
  description: 'a list of addresses and CIDR ranges',
};
const names = (description: string): JsonSchema => ({
  type: 'array',
  items: { type: 'string', minLength: 1, description: 'a string' },
  default: [],
  description,
});

const tls: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: { cert: text('a file'), key: text('a file'), ca: text('a file') },
  description: 'an object',
};

const listener: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['transport'],
  description: 'an object',
  properties: {
    enabled: flag(true),
    transport: { enum: ['tcp', 'unix', 'websocket'], description: '"tcp", "unix" or "websocket"' },
    host,
    port,
    allowed: addresses,
    proxied: { type: 'boolean', description: 'true or false' },
    admin: { type: 'boolean', description: 'true or false' },
    proxies: addresses,
    protocols: {
      type: 'array',
      minItems: 1,
      items: { enum: ['ndjson', 'prefixed', 'line'], description: '"ndjson", "prefixed" or "line"' },
      description: 'a list of one protocol or more',
    },
    dialect: { enum: ['glockd', 'lockd'], description: '"glockd" or "lockd"' },
    path: { type: 'string', minLength: 1, description: 'a file' },
    mode: { type: 'string', pattern: '^0?[0-7]{3}$', description: 'a mode in octal such as "0660"' },
    tls,
  },
};

/** The listeners that people can switch on: the ancestors' ports, a Unix socket, and WebSocket. */
const DEFAULT_LISTENERS: readonly ListenerSettings[] = [
  { enabled: false, transport: 'tcp', port: 9_999, protocols: ['line'], dialect: 'glockd' },
  { enabled: false, transport: 'tcp', port: 2_626, protocols: ['line'], dialect: 'lockd' },
  { enabled: false, transport: 'unix', path: '/run/holdfast/holdfast.sock', mode: '0600' },
  { enabled: false, transport: 'websocket', port: 9_998 },
];

const autoLimit: JsonSchema = {
  anyOf: [{ type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER }, { const: 'auto' }],
  default: 'auto',
  description: `a whole number from 1 to ${Number.MAX_SAFE_INTEGER}, or "auto"`,
};

const limit = (value: number): JsonSchema => ({
  type: 'integer',
  minimum: 1,
  maximum: 2 ** 31 - 1,
  default: value,
  description: 'a whole number from 1 to 2147483647',
});

const fromZero = (value: number): JsonSchema => ({
  ...limit(value),
  minimum: 0,
  description: 'a whole number from 0 to 2147483647',
});

const group = (properties: Readonly<Record<string, JsonSchema>>): JsonSchema => ({
  type: 'object',
  additionalProperties: false,
  properties,
  default: {},
  description: 'an object',
});

const limits: Readonly<Record<string, JsonSchema>> = {
  ...Object.fromEntries(Object.entries(DEFAULT_LOCK_SERVER_LIMITS).map(([name, value]) => [name, limit(value)])),
  maxTableBytes: autoLimit,
  totalOutputBytes: autoLimit,
  totalInputBytes: autoLimit,
};

const http: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    host: { ...host, default: '127.0.0.1' },
    port: { ...port, default: DEFAULT_HTTP_PORT },
    hosts: names('a list of host names'),
    allowed: addresses,
    maxConnections: limit(64),
  },
  default: {},
  description: 'an object',
};

const nameGroup: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['match', 'name'],
  properties: {
    match: { type: 'string', minLength: 1, maxLength: 256, description: 'names, in which * stands for any text' },
    name: { type: 'string', minLength: 1, maxLength: 64, description: 'the name of the group' },
  },
  description: 'a group: {"match": "account *", "name": "account"}',
};

const metrics: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    groups: {
      type: 'array',
      maxItems: MAX_GROUPS,
      items: nameGroup,
      default: [],
      description: `a list of at most ${MAX_GROUPS} groups`,
    },
  },
  default: {},
  description: 'an object',
};

const schema: JsonSchema = {
  type: 'object',
  description: 'an object',
  additionalProperties: false,
  properties: {
    host: { ...host, default: '127.0.0.1' },
    port: { ...port, default: 20_934 },
    allowed: { ...addresses, default: ['127.0.0.1', '::1'] },
    listeners: { type: 'array', items: listener, default: DEFAULT_LISTENERS, description: 'a list of listeners' },
    origins: names('a list of origins'),
    hosts: names('a list of host names'),
    tls: { ...tls, default: {} },
    http,
    metrics,
    pidfile: text('a file'),
    stateDirectory: text('a directory'),
    cluster: clusterSchema,
    user: text('the name or number of a user'),
    group: text('the name or number of a group'),
    dump: flag(true),
    registry: flag(true),
    forceUnlock: flag(false),
    verbose: flag(false),
    drainSeconds: {
      type: 'number',
      minimum: 0,
      maximum: MAX_DRAIN_SECONDS,
      default: 0,
      description: `a number of seconds from 0 to ${MAX_DRAIN_SECONDS}`,
    },
    handshakeTimeoutMs: limit(DEFAULT_HANDSHAKE_TIMEOUT_MS),
    history: group({
      enabled: flag(true),
      maxRecords: limit(100_000),
      minHeldMs: fromZero(100),
      everything: flag(false),
      directory: text('a directory'),
      maxFileBytes: limit(16_777_216),
      maxFiles: limit(16),
    }),
    log: group({ waitsOver: fromZero(0) }),
    limits: group(limits),
  },
};

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
  const settings = structuredClone(given);
  // Compiled only when it is needed, so that `--version` does not wait for it.
  validator ??= new SchemaCompiler('fillDefaults').compile(schema, 'settings');
  const problem = validator.isValid(settings)
    ? findContradiction(settings as unknown as Settings)
    : validator.problems()[0];
  if (problem !== undefined) throw new SettingsError(`${source}: ${problem.message}`);
  return settings as unknown as Settings;
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

const UNIX_ONLY = ['path', 'mode'] as const;
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
