/** Makes listeners from the settings. */

import { isIP } from 'node:net';
import type { LockListenOptions } from '../foreign/full-lock-server.ts';
import type { Listener } from '../message/byte-stream.ts';
import { show } from '../message/show.ts';
import { AllowList } from '../transports/allow-list.ts';
import { parseListedHost, parseListedOrigin } from '../transports/page-access.ts';
import { type ListenerChanges, type TcpListener, tcp } from '../transports/tcp.ts';
import type { TlsFiles } from '../transports/tls.ts';
import { unix } from '../transports/unix.ts';
import { webSocket } from '../transports/websocket.ts';
import type { SocketFile } from './privileges.ts';
import { type ListenerSettings, type Port, type Settings, SettingsError, type TlsSettings } from './settings.ts';

/** One listener, and the options for its clients. */
export interface PlannedListener {
  /** Where it will listen, for error messages. */
  readonly place: string;
  readonly listener: Listener;
  /** The same listener, if there are changes that it can take up while it is open, and what it has of them by these settings. */
  readonly changing?: { readonly listener: TcpListener; readonly access: ListenerChanges };
  readonly options: LockListenOptions;
  readonly socketFile?: SocketFile;
}

/**
 * Makes the listeners that the settings switch on.
 * @throws SettingsError when an address is invalid, a file cannot be read, or there is no listener at all.
 */
export function planListeners(settings: Settings): PlannedListener[] {
  const { host, port, origins, hosts } = settings;
  checkEach(origins, 'settings.origins', parseListedOrigin);
  checkEach(hosts, 'settings.hosts', parseListedHost);
  const first: ListenerSettings = { enabled: true, transport: 'tcp', host, port };
  const planned = [plan(settings, first, 'settings')];
  for (const [index, each] of settings.listeners.entries()) {
    if (each.enabled) planned.push(plan(settings, each, `settings.listeners[${index}]`));
  }
  const listeners = planned.filter((each) => each !== undefined);
  if (listeners.length === 0) throw new SettingsError('nothing to listen on: settings.port is 0 and no listener is on');
  return listeners;
}

function plan(settings: Settings, listener: ListenerSettings, field: string): PlannedListener | undefined {
  const { transport, protocols, dialect, proxied, admin = transport === 'unix' } = listener;
  const options: LockListenOptions = {
    ...(protocols === undefined ? {} : { protocols }),
    ...(dialect === undefined ? {} : { dialect }),
    ...(proxied === undefined ? {} : { proxied }),
    ...(admin ? { admin } : {}),
  };
  if (transport === 'unix') return planUnix(listener, options);
  const port = systemPort(listener.port ?? 0);
  return port === undefined ? undefined : planNetwork(settings, listener, options, field, port);
}

function planUnix({ path = '', mode = '0600', owner, group }: ListenerSettings, options: LockListenOptions) {
  const socketFile = { path, ...(owner === undefined ? {} : { owner }), ...(group === undefined ? {} : { group }) };
  return { place: path, listener: unix({ ...socketFile, mode: Number.parseInt(mode, 8) }), options, socketFile };
}

function planNetwork(
  settings: Settings,
  listener: ListenerSettings,
  options: LockListenOptions,
  field: string,
  port: number,
): PlannedListener {
  const fieldOf = (name: 'host' | 'allowed' | 'tls'): string =>
    listener[name] === undefined ? `settings.${name}` : `${field}.${name}`;
  const { host = settings.host, allowed = settings.allowed, tls = settings.tls, proxies } = listener;
  checkHost(host, fieldOf('host'));
  checkEach(allowed, fieldOf('allowed'), (entry) => new AllowList([entry]));
  checkEach(proxies ?? [], `${field}.proxies`, (entry) => new AllowList([entry]));
  const { origins, hosts, limits, handshakeTimeoutMs } = settings;
  const access = { allowed, proxies, tls: tlsFiles(tls, fieldOf('tls')) };
  const where = { host, port, handshakeTimeoutMs, ...access };
  const place = `${host}, port ${listener.port}`;
  try {
    if (listener.transport === 'tcp') {
      const made = tcp(where);
      return { place, listener: made, options, changing: { listener: made, access } };
    }
    const pages = { origins, hosts };
    const made = webSocket({ ...where, ...pages, maxMessageBytes: limits.maxMessageBytes });
    const changing = { listener: made, access: { ...access, ...pages } };
    return { place, listener: made, options: { protocols: ['ndjson', 'line'], ...options }, changing };
  } catch (error) {
    throw new SettingsError(`${field}: ${(error as Error).message}`);
  }
}

/** Makes the listener to which the other servers of a cluster forward connections. @throws SettingsError when an address is invalid. */
export function planForwarding({ host, allowed, cluster }: Settings): PlannedListener {
  checkEach(allowed, 'settings.allowed', (entry) => new AllowList([entry]));
  const port = cluster.forwardPort === 'auto' ? 0 : cluster.forwardPort;
  const listener = tcp({ host, port, allowed });
  return {
    place: `${host}, port ${cluster.forwardPort}`,
    listener,
    options: {},
    changing: { listener, access: { allowed } },
  };
}

/** @throws SettingsError when it is neither an address nor a host name. */
export function checkHost(host: string, field: string): void {
  try {
    if (isIP(host) === 0) parseListedHost(host);
  } catch {
    throw new SettingsError(`${field} is ${show(host)}; expected an address or a host name`);
  }
}

/** Names the wrong entry, so that people find it in the file. */
function checkEach(entries: readonly string[], field: string, check: (entry: string) => unknown): void {
  for (const [index, entry] of entries.entries()) {
    try {
      check(entry);
    } catch (error) {
      throw new SettingsError(`${field}[${index}]: ${(error as Error).message}`);
    }
  }
}

/** Port 0 means no port here, but to the system it means any free port. */
function systemPort(port: Port): number | undefined {
  if (port === 'auto') return 0;
  return port === 0 ? undefined : port;
}

function tlsFiles({ cert, key, ca }: TlsSettings, field: string): TlsFiles | undefined {
  if (cert === '' && key === '' && ca === '') return undefined;
  if (cert === '' || key === '')
    throw new SettingsError(`${field}: a certificate needs its key, and a key its certificate`);
  return { certFile: cert, keyFile: key, caFile: ca === '' ? undefined : ca };
}
