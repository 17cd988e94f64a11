/** The paths below `/api/`: JSON for the status page and for programs. docs/monitoring.md has an example of each. */

import type { MonitoredClient, ServerMonitor } from '../server/server-monitor.ts';
import { usageOf } from '../server/survey-command.ts';
import type { Surveys } from '../server/surveys.ts';
import { VERSION } from '../server/version.ts';
import { type HttpAnswer, HttpError, type HttpRequest, type HttpRoute } from './http-server.ts';
import { type Monitored, unreadiness } from './monitored.ts';
import type { Samples } from './samples.ts';
import { blockedLocks } from './waits-tree.ts';

const DEFAULT_TOLD = 100;
const MAX_TOLD = 1_000;
/** What a client holds and awaits is told up to this many, since each wait costs a look at the queue. */
const MAX_CLAIMS = 100;

/** What the API asks. */
export interface ApiParts {
  readonly monitored: () => Monitored;
  readonly surveys: Surveys;
  readonly samples: Samples;
}

/** The routes by their paths. */
export function apiRoutes(parts: ApiParts): ReadonlyMap<string, HttpRoute> {
  const { monitored, surveys, samples } = parts;
  return new Map<string, HttpRoute>([
    ['/api/status', async () => json(await describeStatus(monitored()))],
    ['/api/blocked', async () => json(await describeBlocked(open(monitored()), surveys))],
    ['/api/locks', async (request) => json(await listLocks(open(monitored()), request))],
    ['/api/lock', async (request) => json(await inspectLock(open(monitored()), request))],
    ['/api/clients', (request) => json(listClients(open(monitored()), request))],
    ['/api/client', (request) => json(describeClient(open(monitored()), request))],
    ['/api/history', async (request) => json(await listHistory(open(monitored()), request))],
    ['/api/samples', () => json(samples.all())],
  ]);
}

/** Resolves to what a server is and counts; of one that stands by only where it stands. */
export async function describeStatus(monitored: Monitored): Promise<object> {
  const { role } = monitored;
  const reason = unreadiness(monitored);
  const state = {
    server: 'holdfast',
    version: VERSION,
    role,
    isReady: reason === undefined,
    ...(reason && { reason }),
  };
  if (monitored.role === 'standby') return { ...state, leader: monitored.leader };
  const { monitor } = monitored;
  const statistics = await monitor.statistics();
  return { ...state, isDumpOn: monitor.isDumpOn, usage: usageOf(monitor.limits, statistics), statistics };
}

/** Resolves to who blocks whom, and the longest waits and holds. */
export async function describeBlocked(monitor: ServerMonitor, surveys: Surveys): Promise<object> {
  const { survey, ageMs } = await surveys.latest(monitor);
  const { holders, waiters, longestHolds, longestWaits, contended } = survey;
  return { ageMs, holders, waiters, blocked: blockedLocks(contended), longestWaits, longestHolds };
}

async function listLocks(monitor: ServerMonitor, { parameters, isWanted }: HttpRequest): Promise<object> {
  const prefix = textOf(parameters, 'prefix') ?? '';
  const after = textOf(parameters, 'after');
  return await monitor.list({ prefix, after }, countOf(parameters), isWanted);
}

async function inspectLock(monitor: ServerMonitor, { parameters }: HttpRequest): Promise<object> {
  const name = textOf(parameters, 'name');
  if (name === undefined) throw new HttpError(400, 'the parameter name is missing; expected the name of a lock');
  return await monitor.inspect(name, countOf(parameters));
}

function listClients(monitor: ServerMonitor, { parameters }: HttpRequest): object {
  const search = (textOf(parameters, 'search') ?? '').toLowerCase();
  const max = countOf(parameters);
  const clients: MonitoredClient[] = [];
  let count = 0;
  for (const client of monitor.clients()) {
    if (search !== '' && !`${client.name}\n${client.address}`.toLowerCase().includes(search)) continue;
    count += 1;
    if (clients.length < max) clients.push(client);
  }
  return { count, clients };
}

function describeClient(monitor: ServerMonitor, { parameters }: HttpRequest): object {
  const address = textOf(parameters, 'address');
  if (address === undefined) throw new HttpError(400, 'the parameter address is missing; expected that of a client');
  const claims = monitor.claimsOf(address, Math.min(MAX_CLAIMS, countOf(parameters)));
  if (claims === undefined) throw new HttpError(404, 'no client is connected from there');
  return { address, ...claims };
}

async function listHistory(monitor: ServerMonitor, { parameters, isWanted }: HttpRequest): Promise<object> {
  const after = parameters.has('after') ? countOf(parameters, 'after', Number.MAX_SAFE_INTEGER) : undefined;
  const query = { lockName: textOf(parameters, 'name'), prefix: textOf(parameters, 'prefix'), after };
  const max = countOf(parameters);
  const page = monitor.history(query, { max, maxBytes: monitor.limits.maxPageBytes }, isWanted);
  if (page === undefined)
    throw new HttpError(404, 'no history is kept, since "history.enabled" is false in the settings');
  return await page;
}

/** The server whose locks may be told. */
function open(monitored: Monitored): ServerMonitor {
  if (monitored.role === 'standby') {
    throw new HttpError(503, `this server stands by; ${monitored.leader ?? 'nobody'} leads`);
  }
  if (monitored.monitor.isDumpOn) return monitored.monitor;
  throw new HttpError(403, 'nobody may ask who holds what, since "dump" is false in the settings');
}

/** A parameter, as it is or, with the suffix `Json`, as a JSON string: names need not be text that a URL can have. */
function textOf(parameters: URLSearchParams, name: string): string | undefined {
  const encoded = parameters.get(`${name}Json`);
  if (encoded === null) return parameters.get(name) ?? undefined;
  try {
    const text: unknown = JSON.parse(encoded);
    if (typeof text === 'string') return text;
  } catch {
    // Refused like any other value that is no text.
  }
  throw new HttpError(400, `the parameter ${name}Json is ${encoded.slice(0, DEFAULT_TOLD)}; expected a string in JSON`);
}

function countOf(parameters: URLSearchParams, name = 'max', most = MAX_TOLD): number {
  const given = parameters.get(name);
  if (given === null) return DEFAULT_TOLD;
  const count = Number(given);
  if (/^\d+$/.test(given) && count >= 1 && count <= most) return count;
  const found = given.slice(0, DEFAULT_TOLD);
  throw new HttpError(400, `the parameter ${name} is ${found}; expected a whole number from 1 to ${most}`);
}

function json(value: object): HttpAnswer {
  return { status: 200, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}
