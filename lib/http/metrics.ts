/** The metrics, in the format of Prometheus. Labels have few values: no name of a lock, a client or an owner is one. */

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { ServerMonitor, ServerStatistics, Survey } from '../server/server-monitor.ts';
import { usageOf } from '../server/survey-command.ts';
import type { Surveys } from '../server/surveys.ts';
import { VERSION } from '../server/version.ts';
import type { Durations } from './durations.ts';
import { type Monitored, unreadiness } from './monitored.ts';

const MS_A_SECOND = 1_000;

/** Values of one metric by the value of its label. */
type Values = Readonly<Record<string, number>>;

/** What a server that serves locks tells of itself. */
interface Counted {
  readonly monitor: ServerMonitor;
  readonly statistics: ServerStatistics;
  readonly survey: Survey;
}

/** All metrics of one server. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #monitored: () => Monitored;
  readonly #surveys: Surveys;
  readonly #durations: Durations;
  readonly #gauges: ReadonlyMap<string, Gauge>;
  readonly #counters: ReadonlyMap<string, Counter>;

  constructor(monitored: () => Monitored, surveys: Surveys, durations: Durations) {
    this.#durations = durations;
    this.#monitored = monitored;
    this.#surveys = surveys;
    const registers = [this.#registry];
    const made = ({ name, help, label, further = [] }: Description): object => ({
      name: `holdfast_${name}`,
      help,
      registers,
      labelNames: label === undefined ? [] : [...further, label],
    });
    this.#gauges = new Map(GAUGES.map((each) => [each.name, new Gauge(made(each) as { name: string; help: string })]));
    this.#counters = new Map(
      COUNTERS.map((each) => [each.name, new Counter(made(each) as { name: string; help: string })]),
    );
    collectDefaultMetrics({ register: this.#registry });
  }

  get type(): string {
    return this.#registry.contentType;
  }

  /** Resolves to the metrics as they are now. */
  async text(): Promise<string> {
    const monitored = this.#monitored();
    const counted = monitored.role === 'standby' ? undefined : await this.#count(monitored.monitor);
    // From here until the registry has read the values nothing waits, so that no other call adds to them.
    this.#reset();
    this.#set('build_info', { [VERSION]: 1 });
    this.#set('ready', unreadiness(monitored) === undefined ? 1 : 0);
    this.#set('leader', counted === undefined ? 0 : 1);
    if (counted !== undefined) {
      this.#setStatistics(counted.monitor, counted.statistics);
      this.#setTotals(counted.statistics);
      this.#setSurvey(counted.survey);
    }
    return (await this.#registry.metrics()) + this.#durations.text();
  }

  async #count(monitor: ServerMonitor): Promise<Counted> {
    const statistics = await monitor.statistics();
    const { survey } = await this.#surveys.latest(monitor);
    return { monitor, statistics, survey };
  }

  #reset(): void {
    for (const counter of this.#counters.values()) counter.reset();
    for (const [name, gauge] of this.#gauges) {
      gauge.reset();
      // Otherwise it would be 0 where it is not known.
      if (labelOf(GAUGES, name) === '') gauge.remove();
    }
  }

  #setStatistics(monitor: ServerMonitor, statistics: ServerStatistics): void {
    const { locks, permits, sessions, suspendedSessions, awaitedSessions, openConnections, waiting } = statistics;
    this.#set('locks', { readerWriter: locks, permit: permits });
    this.#set('waiting_requests', waiting);
    this.#set('connections', openConnections);
    const connected = Math.max(0, sessions - suspendedSessions);
    this.#set('sessions', { connected, suspended: suspendedSessions, awaited: awaitedSessions });
    if (monitor.tokensLeft !== undefined) this.#set('reserved_tokens', monitor.tokensLeft);
    const usage = usageOf(monitor.limits, statistics);
    this.#set('usage', Object.fromEntries(usage.map(({ limit, used }) => [limit, used])));
    this.#set('limit', Object.fromEntries(usage.map(({ limit, max }) => [limit, max])));
    this.#set('uptime_seconds', statistics.uptimeMs / MS_A_SECOND);
  }

  #setTotals(statistics: ServerStatistics): void {
    const { expiredLeases, forced, stolen, orphans, permitOrphans, requests, notOk, refusals, ...counts } = statistics;
    this.#add('grants_total', counts.grants);
    this.#add('releases_total', counts.releases);
    this.#add('ungranted_total', {
      timeout: counts.timeouts,
      cancelled: counts.cancelled,
      deadlock: counts.deadlocks,
    });
    this.#add('losses_total', { lease: expiredLeases, forced, stolen, sessionEnded: orphans + permitOrphans });
    this.#add('sessions_resumed_total', counts.resumedSessions);
    this.#add('sessions_expired_total', counts.expiredSessions);
    this.#add('connections_total', counts.connections);
    this.#add('requests_total', requests);
    for (const [command, statuses] of Object.entries(notOk)) this.#add('requests_not_ok_total', statuses, { command });
    this.#add('faulty_requests_total', {
      invalid: counts.invalidRequests,
      unknownCommand: counts.unknownCommands,
      failed: counts.failedRequests,
    });
    this.#add('refusals_total', refusals);
  }

  #setSurvey({ holders, waiters, longestHolds, longestWaits, groups }: Survey): void {
    this.#set('holders', holders);
    this.#set('waiters', waiters);
    this.#set('oldest_wait_seconds', (longestWaits[0]?.waitedMs ?? 0) / MS_A_SECOND);
    this.#set('longest_hold_seconds', (longestHolds[0]?.heldMs ?? 0) / MS_A_SECOND);
    for (const [group, { holders: held, waiters: waiting, oldestWaitMs, longestHoldMs }] of groups) {
      this.#set('group_holders', { [group]: held });
      this.#set('group_waiters', { [group]: waiting });
      this.#set('group_oldest_wait_seconds', { [group]: oldestWaitMs / MS_A_SECOND });
      this.#set('group_longest_hold_seconds', { [group]: longestHoldMs / MS_A_SECOND });
    }
  }

  #set(name: string, values: number | Values): void {
    const gauge = this.#gauges.get(name) as Gauge;
    if (typeof values === 'number') gauge.set(values);
    else for (const [label, value] of Object.entries(values)) gauge.set({ [labelOf(GAUGES, name)]: label }, value);
  }

  /** The counters were reset, so that they come to what the server counts. */
  #add(name: string, values: number | Values, further: Readonly<Record<string, string>> = {}): void {
    const counter = this.#counters.get(name) as Counter;
    if (typeof values === 'number') {
      counter.inc(values);
      return;
    }
    const label = labelOf(COUNTERS, name);
    for (const [value, count] of Object.entries(values)) counter.inc({ ...further, [label]: value }, count);
  }
}

/** A metric of ours, without its prefix, and its labels if it has any. */
interface Description {
  readonly name: string;
  readonly help: string;
  readonly label?: string;
  readonly further?: readonly string[];
}

/** Values that rise and fall. docs/monitoring.md lists them. */
export const GAUGES: readonly Description[] = [
  { name: 'build_info', help: 'Always 1; the version of the server.', label: 'version' },
  { name: 'ready', help: '1 while new locks are granted or forwarded, otherwise 0.' },
  { name: 'leader', help: '1 for a server that serves the locks itself, 0 for one that stands by.' },
  { name: 'uptime_seconds', help: 'Seconds since the server was made.' },
  { name: 'locks', help: 'Names whose lock is held.', label: 'kind' },
  { name: 'holders', help: 'Holds.', label: 'mode' },
  { name: 'waiters', help: 'Places in queues.', label: 'mode' },
  { name: 'waiting_requests', help: 'Requests that wait; one for several locks counts once.' },
  { name: 'oldest_wait_seconds', help: 'How long the one has waited that has waited longest; 0 without waiters.' },
  { name: 'longest_hold_seconds', help: 'How long the oldest hold has lasted; 0 without holders.' },
  { name: 'connections', help: 'Open connections.' },
  { name: 'sessions', help: 'Sessions of clients.', label: 'state' },
  { name: 'reserved_tokens', help: 'Fencing tokens left in the reservation; only where they must be reserved.' },
  { name: 'usage', help: 'How much of a limit is used.', label: 'limit' },
  { name: 'limit', help: 'The limit.', label: 'limit' },
  { name: 'group_holders', help: 'Holds of the locks of a group.', label: 'group' },
  { name: 'group_waiters', help: 'Places in the queues of a group.', label: 'group' },
  { name: 'group_oldest_wait_seconds', help: 'The longest wait in a group.', label: 'group' },
  { name: 'group_longest_hold_seconds', help: 'The oldest hold in a group.', label: 'group' },
];

/** Values that only grow. docs/monitoring.md lists them. */
export const COUNTERS: readonly Description[] = [
  { name: 'grants_total', help: 'Grants.' },
  { name: 'releases_total', help: 'Releases by the owners.' },
  { name: 'ungranted_total', help: 'Requests that ended without a grant.', label: 'status' },
  { name: 'losses_total', help: 'Holds that ended although their owners did not release them.', label: 'reason' },
  { name: 'sessions_resumed_total', help: 'Sessions that went on with another connection.' },
  { name: 'sessions_expired_total', help: 'Sessions whose clients did not come back in time.' },
  { name: 'connections_total', help: 'Accepted connections.' },
  { name: 'requests_total', help: 'Requests.', label: 'command' },
  {
    name: 'requests_not_ok_total',
    help: 'Requests that were answered with another status than ok.',
    label: 'status',
    further: ['command'],
  },
  { name: 'faulty_requests_total', help: 'Requests that were wrong, or failed.', label: 'reason' },
  { name: 'refusals_total', help: 'Connections turned away and commands refused.', label: 'reason' },
];

function labelOf(descriptions: readonly Description[], name: string): string {
  return descriptions.find((each) => each.name === name)?.label ?? '';
}
