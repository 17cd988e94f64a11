/** The server with glockd's command line, defaults and exit codes, for scripts that start glockd. */

import type { LockServerLimits } from '../server/lock-server-limits.ts';
import { VERSION } from '../server/version.ts';
import { completeSettings, type Settings, SettingsError } from './settings.ts';
import { exitOnFailure } from './start-failure.ts';

/** glockd's own codes: 2 for a wrong command line, 3 when the pidfile cannot be opened, 4 when it is taken. */
const CODES = { usage: 2, pidfile: 3, pidfileTaken: 4, cannotListen: 1 };

const USAGE = `Usage of glockd:
  -port number      listen on TCP there (default 9999; 0 is nowhere)
  -ws number        listen for WebSocket there (default 9998; 0 is nowhere)
  -unix path        listen on a Unix socket there (default none)
  -http number      serve the status page and the metrics there, to this machine (default none)
  -pidfile path     write the process id there and keep a second server out (required)
  -dump             allow dump, d, sd and who (default true)
  -registry         allow iam and who (default true)
  -verbose          log connections and other details too
  -ssl              serve TLS on the TCP port and require certificates of clients
  -ssl-cert file    the certificate (required for -ssl)
  -ssl-key file     its key (required for -ssl)
  -ssl-ca file      the authorities of the clients' certificates (required for -ssl)
  -allow list       addresses and CIDR ranges that may connect, separated by commas (default 127.0.0.1,::1)
  -origin list      origins of the pages that may connect by WebSocket, separated by commas (default none)
  -unix-mode mode   the mode of the Unix socket in octal (default 0600: the own user only)
  -max-locks n      locks held at a time (default 2000000)
  -max-locks-per-connection n   of one connection (default as many as -max-locks)
  -max-name-bytes n             bytes in the name of a lock (default 1000000; glockd cuts lines at 4096)
  -max-client-name-bytes n      bytes in a name of iam (default 60000)
  -max-connections n            connections at a time (default 20000)
  -hosts list       names by which clients that tell the server's own address as their origin may call it,
                    separated by commas (default none; addresses and localhost always may)
`;

const BOOLEANS = ['dump', 'registry', 'verbose', 'ssl'];
const LIMITS = ['max-locks', 'max-locks-per-connection', 'max-name-bytes', 'max-client-name-bytes', 'max-connections'];
const FILES = ['unix', 'pidfile', 'ssl-cert', 'ssl-key', 'ssl-ca'];
const VALUED = ['port', 'ws', 'http', 'unix-mode', 'allow', 'origin', 'hosts', ...FILES, ...LIMITS];
const FLAGS = [...BOOLEANS, ...VALUED];
const HELP = ['h', 'help'];
/** The values that Go's `strconv.ParseBool` accepts. */
const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

/** Runs the program with the arguments of the command line. */
export async function runGlockd(args: readonly string[]): Promise<void> {
  try {
    const settings = readGlockdFlags(args);
    if (settings === 'help') {
      process.stderr.write(USAGE);
      process.exit(CODES.usage);
    }
    // Only now, since it takes longer to load than all else.
    const { serve } = await import('./serve.ts');
    await serve(settings, CODES, (addresses) => glockdStartLine(addresses, settings), { isHttpPortGiven: true });
  } catch (error) {
    exitOnFailure(error, CODES.usage);
  }
}

/** The settings that the flags come to. @throws SettingsError when a flag is unknown or missing, or its value missing or wrong. */
export function readGlockdFlags(args: readonly string[]): Settings | 'help' {
  const flags = parseFlags(args);
  return flags === 'help' ? flags : settingsOf(flags);
}

/** Tells who may connect, since users of glockd expect it to let everybody in. */
export function glockdStartLine(addresses: readonly string[], { allowed }: Pick<Settings, 'allowed'>): string {
  const isLocal = allowed.every((each) => /^(127\.|::1$)/.test(each));
  const list = allowed.join(', ') || 'nobody';
  const who = isLocal ? `for this machine only (${list}): -allow 0.0.0.0/0,::/0 opens it to all` : `allowed: ${list}`;
  return `holdfast ${VERSION} listens as glockd on ${addresses.join(', ')}, ${who}`;
}

/**
 * Parses flags as Go does: one dash or two, `-name value` or `-name=value`, and a boolean's value only after `=`. Stops
 * at the first argument that is not a flag.
 * @throws SettingsError when a flag is unknown, or its value is missing or wrong.
 */
function parseFlags(args: readonly string[]): ReadonlyMap<string, string> | 'help' {
  const flags = new Map<string, string>();
  for (let index = 0; index < args.length; index += 1) {
    const match = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(args[index] as string);
    if (match === null) break;
    const [, name = '', given] = match;
    if (HELP.includes(name)) return 'help';
    if (!FLAGS.includes(name)) throw new SettingsError(`flag provided but not defined: -${name}`);
    const isValueNext = given === undefined && VALUED.includes(name);
    if (isValueNext) index += 1;
    const value = isValueNext ? args[index] : (given ?? 'true');
    if (value === undefined) throw new SettingsError(`flag needs an argument: -${name}`);
    flags.set(name, value);
  }
  return flags;
}

function settingsOf(flags: ReadonlyMap<string, string>): Settings {
  const pidfile = flags.get('pidfile') ?? '';
  if (pidfile === '') throw new SettingsError('please specify a pidfile: -pidfile path');
  const unix = flags.get('unix') ?? '';
  const ws = portOf(flags, 'ws', 9_998);
  const given = {
    // All IPv6 and IPv4 interfaces, as in glockd.
    host: '::',
    port: portOf(flags, 'port', 9_999),
    allowed: listOf(flags, 'allow') ?? ['127.0.0.1', '::1'],
    origins: listOf(flags, 'origin') ?? [],
    hosts: listOf(flags, 'hosts') ?? [],
    listeners: [
      ...(ws === 0 ? [] : [{ transport: 'websocket', port: ws, tls: { cert: '', key: '', ca: '' } }]),
      ...(unix === '' ? [] : [{ transport: 'unix', admin: false, path: unix, mode: flags.get('unix-mode') ?? '0600' }]),
    ],
    tls: tlsOf(flags),
    // glockd has no such page, so there is none unless it is asked for.
    http: { port: portOf(flags, 'http', 0) },
    pidfile,
    dump: booleanOf(flags, 'dump', true),
    registry: booleanOf(flags, 'registry', true),
    verbose: booleanOf(flags, 'verbose', false),
    limits: limitsOf(flags),
  };
  return completeSettings(given, 'the command line');
}

function portOf(flags: ReadonlyMap<string, string>, name: string, byDefault: number): number | 'auto' {
  return flags.get(name) === 'auto' ? 'auto' : countOf(flags, name, byDefault);
}

/** As high as the server can bear, since glockd has no limits. */
function limitsOf(flags: ReadonlyMap<string, string>): Partial<LockServerLimits> {
  const maxLocks = countOf(flags, 'max-locks', 2_000_000);
  const maxConnections = countOf(flags, 'max-connections', 20_000);
  return {
    maxLocks,
    maxLocksPerSession: countOf(flags, 'max-locks-per-connection', maxLocks),
    maxBytesPerSession: 2 ** 31 - 1,
    maxNameBytes: countOf(flags, 'max-name-bytes', 1_000_000),
    maxClientNameBytes: countOf(flags, 'max-client-name-bytes', 60_000),
    maxConnections,
    maxConnectionsPerAddress: maxConnections,
  };
}

function countOf(flags: ReadonlyMap<string, string>, name: string, byDefault: number): number {
  const text = flags.get(name) ?? String(byDefault);
  if (!/^\d+$/.test(text)) throw new SettingsError(`invalid value ${JSON.stringify(text)} for flag -${name}`);
  return Number(text);
}

function booleanOf(flags: ReadonlyMap<string, string>, name: string, byDefault: boolean): boolean {
  const text = flags.get(name) ?? String(byDefault);
  if (TRUE.includes(text)) return true;
  if (FALSE.includes(text)) return false;
  throw new SettingsError(`invalid boolean value ${JSON.stringify(text)} for -${name}`);
}

function listOf(flags: ReadonlyMap<string, string>, name: string): string[] | undefined {
  return flags
    .get(name)
    ?.split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

function tlsOf(flags: ReadonlyMap<string, string>): object {
  if (!booleanOf(flags, 'ssl', false)) return {};
  for (const name of ['ssl-cert', 'ssl-key', 'ssl-ca']) {
    if ((flags.get(name) ?? '') === '') throw new SettingsError(`-ssl needs -${name}`);
  }
  return { cert: flags.get('ssl-cert'), key: flags.get('ssl-key'), ca: flags.get('ssl-ca') };
}
