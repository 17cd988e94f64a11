/** Runs a lock server as a process: opens the listeners of the settings and ends on signals. */

import { constants } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { type Logger as PinoLogger, pino } from 'pino';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import { FullLockServer } from '../foreign/full-lock-server.ts';
import type { Monitored } from '../http/monitored.ts';
import type { Monitoring } from '../http/monitoring.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { LedgerError } from '../ledger/ledger-error.ts';
import { DEFAULT_LOCK_SERVER_LIMITS, type LockServerLimits } from '../server/lock-server-limits.ts';
import type { LockServerOptions } from '../server/lock-server-options.ts';
import { type ClusterParts, makeClusterNode } from './cluster.ts';
import { isClustered } from './cluster-settings.ts';
import { EXIT_CODES, SIGNAL_EXIT_CODE } from './exit-codes.ts';
import { type KeptHistory, keepHistory } from './keep-history.ts';
import { type PlannedListener, planForwarding, planListeners } from './listeners.ts';
import { type PlannedMonitoring, planMonitoring } from './monitoring.ts';
import { countOpenFiles, fitToOpenFiles } from './open-files.ts';
import { type Pidfile, PidfileTakenError, takePidfile } from './pidfile.ts';
import { dropPrivileges, withAccount } from './privileges.ts';
import { logLevel, RunningSettings } from './running-settings.ts';
import type { ReadSettings } from './server-command-line.ts';
import { ServiceManager } from './service-manager.ts';
import { inSource, type Settings, SettingsError } from './settings.ts';
import { failWith, StartFailure, type StartFailureCodes } from './start-failure.ts';
import { explainStateError, openState } from './state.ts';

const STDERR = 2;
const MS_A_SECOND = 1_000;
const MAX_UNREAD_LOG_BYTES = 1_048_576;
const LAST_LINES_TIMEOUT_MS = 1_000;
/** How many bytes of bytecode the engine may inline in one function; by default 920. A request takes a tenth less time so. */
const INLINED_BYTES = 3_000;

type LogDestination = ReturnType<typeof pino.destination>;

interface ServeOptions {
  /** What messages call the settings; the command line by default. */
  readonly source?: string;
  /** Starts although the state directory is damaged. */
  readonly isStateForced?: boolean;
  /** Accepts what etcd has now, although it was set back. */
  readonly isRaised?: boolean;
  /** Whether the port of the status page was asked for, so that it must be free. */
  readonly isHttpPortGiven?: boolean;
  /** Variables that begin like those of settings and are none. */
  readonly ignoredVariables?: readonly string[];
  /** Reads the settings again on SIGHUP. Without it they stay, and only the certificates are read. */
  readonly readAgain?: () => Pick<ReadSettings, 'settings' | 'source'>;
}

/** What runs until a signal ends it: a server, or the node of a cluster. */
interface Serving {
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** What ends after it. */
interface Closable {
  close(): Promise<void>;
}

/** What is open so far, so that it can be closed when the start fails. */
interface Opened {
  server?: Serving;
  ledger?: Ledger | undefined;
  monitoring?: Monitoring | undefined;
  pidfile?: Pidfile | undefined;
}

/** What serves, once it listens. */
interface Listening {
  readonly server: Serving;
  readonly addresses: readonly string[];
  readonly monitored: () => Monitored;
  /** Undefined where limits need a restart. */
  readonly changeLimits?: (limits: LockServerLimits) => void;
}

/** Of what a start is made. */
interface Start {
  readonly settings: Settings;
  readonly codes: StartFailureCodes;
  readonly options: ServeOptions;
  readonly planned: readonly PlannedListener[];
  readonly forwarding: PlannedListener | undefined;
  readonly monitoring: PlannedMonitoring | undefined;
  readonly logger: PinoLogger;
  readonly opened: Opened;
}

/**
 * Starts a server. The first SIGINT or SIGTERM drains it, the second ends it at once, and SIGHUP reads the settings and the certificates
 * again. Prints the line that tells the addresses where it listens. Rejects with a `StartFailure`.
 */
export async function serve(
  settings: Settings,
  codes: StartFailureCodes,
  startLine: (addresses: readonly string[]) => string,
  options: ServeOptions = {},
): Promise<void> {
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTES}`);
  const { source = 'the command line', isHttpPortGiven = false, ignoredVariables = [] } = options;
  const check = <Made>(make: () => Made): Made => failWith(codes.usage, () => inSource(source, make));
  const planned = check(() => planListeners(settings));
  const forwarding = isClustered(settings) ? check(() => planForwarding(settings)) : undefined;
  const monitoring = check(() => planMonitoring(settings, isHttpPortGiven));
  const startReloading = awaitHangUps();
  const opened: Opened = {};
  if (settings.pidfile !== '') opened.pidfile = await claimPidfile(settings.pidfile, codes);
  const { log, logger } = openLog(settings);
  const start: Start = { settings, codes, options, planned, forwarding, monitoring, logger, opened };
  try {
    const history = await claimHistory(settings, codes, logger);
    const limitsFor = limitFitter(start);
    const { server, addresses, monitored, changeLimits } = await listen(start, limitsFor(settings), history);
    opened.monitoring = await openMonitoring(monitoring, monitored, logger, codes);
    const socketFiles = planned.flatMap(({ socketFile }) => socketFile ?? []);
    failWith(codes.usage, () => dropPrivileges(settings, socketFiles));
    const readAgain = options.readAgain ?? (() => ({ settings, source }));
    const running = new RunningSettings(settings, readAgain, {
      listeners: forwarding === undefined ? planned : [...planned, forwarding],
      monitoring,
      isHttpPortGiven,
      longWaits: history.longWaits,
      changeLimits: (changed) => changeLimits?.(limitsFor(changed)),
      logger,
    });
    const manager = new ServiceManager(process.env, logger);
    const afterwards = [opened.monitoring, opened.ledger, history, manager];
    closeOnSignal(server, afterwards, logger, log, opened.pidfile, running);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => manager.stopping());
    startReloading(() => manager.reload(() => running.reload()));
    if (ignoredVariables.length > 0)
      logger.warn({ variables: ignoredVariables }, IGNORED + ignoredVariables.join(', '));
    announce(startLine(addresses), logger);
    manager.ready(startLine(addresses));
  } catch (error) {
    await closeOpened(opened, settings);
    throw error;
  }
}

/** Catches SIGHUP, which would end a process that begins. What is given later is called for each, also if some came before. */
function awaitHangUps(): (reload: () => void) => void {
  let reload: (() => void) | undefined;
  let hasCome = false;
  process.on('SIGHUP', () => {
    hasCome = true;
    reload?.();
  });
  return (given) => {
    reload = given;
    if (hasCome) given();
  };
}

/** Writes asynchronously and drops lines that nobody reads, so that the log never keeps clients waiting. */
function openLog(settings: Settings): { readonly log: LogDestination; readonly logger: PinoLogger } {
  const log = pino.destination({ fd: STDERR, sync: false, maxLength: MAX_UNREAD_LOG_BYTES });
  // A full disk costs lines of the log, not the locks.
  log.on('error', () => {});
  return { log, logger: pino({ level: logLevel(settings) }, log) };
}

/** Returns a function that makes limits of settings, such as the open files of this process allow. */
function limitFitter({ settings, planned, monitoring, logger }: Start): (settings: Settings) => LockServerLimits {
  const monitoringFiles = monitoring === undefined ? 0 : 1 + settings.http.maxConnections;
  const files = countOpenFiles(planned.length + monitoringFiles, isClustered(settings) ? 2 : 1);
  return (given) => {
    const { limits, notice } = fitToOpenFiles(limitsOf(given), files);
    if (notice !== undefined) logger.warn({ maxConnections: limits.maxConnections }, notice);
    return limits;
  };
}

async function listen(start: Start, limits: LockServerLimits, history: KeptHistory): Promise<Listening> {
  const { settings, logger, monitoring } = start;
  const { dump, registry, forceUnlock } = settings;
  const observers = [...(history.options.observers ?? []), ...(monitoring ? [monitoring.durations] : [])];
  const serverOptions = { limits, logger, dump, registry, forceUnlock, ...history.options, observers };
  return start.forwarding === undefined
    ? await listenAlone(start, serverOptions)
    : await listenInCluster(start, start.forwarding, { ...serverOptions, limits });
}

async function listenAlone(start: Start, serverOptions: LockServerOptions): Promise<Listening> {
  const { settings, codes, options, planned, logger, opened } = start;
  const ledger = await claimState(settings, codes, logger, options.isStateForced === true);
  opened.ledger = ledger;
  const make = (): FullLockServer => new FullLockServer({ ...serverOptions, ...(ledger && { ledger }) });
  const server = failWith(EXIT_CODES.failure, make);
  opened.server = server;
  // By default it would end the process, and with it all locks.
  process.on('SIGUSR2', () => logger.warn({}, 'SIGUSR2 changes nothing: this server is not one of several'));
  return {
    server,
    addresses: await openAll(server, planned, codes),
    monitored: () => ({ role: 'single', monitor: server.monitor }),
    changeLimits: (limits) => server.changeLimits(limits),
  };
}

async function listenInCluster(
  { settings, codes, options, planned, logger, opened }: Start,
  forwarding: PlannedListener,
  serverOptions: LockServerOptions & { readonly limits: LockServerLimits },
): Promise<Listening> {
  let leading: FullLockServer | undefined;
  const onServer = (made: FullLockServer): void => {
    leading = made;
  };
  const { limits } = serverOptions;
  const isRaised = options.isRaised === true;
  const parts = { planned, forwarding, limits, logger, serverOptions, isRaised, onServer };
  const node = await claimNode(settings, codes, parts);
  opened.server = node;
  const addresses = await startNode(node, codes);
  process.on('SIGUSR2', () => node.stepDown());
  return { server: node, addresses, monitored: () => monitoredOf(node, leading) };
}

/** Leaves nothing behind of a start that failed. */
async function closeOpened({ server, ledger, monitoring, pidfile }: Opened, settings: Settings): Promise<void> {
  await monitoring?.close();
  // A planned stop that was loaded is saved again, as the user who may read it.
  if (ledger === undefined) await server?.close();
  else await withAccount(settings, async () => await server?.close());
  await ledger?.close();
  pidfile?.release();
}

const IGNORED = 'variables of the environment begin like settings, but are none, so they are ignored: ';

/** Those that the settings leave to the server have its defaults. */
function limitsOf({ limits }: Settings): LockServerLimits {
  const given = Object.entries(limits).filter(([, value]) => value !== 'auto');
  return { ...DEFAULT_LOCK_SERVER_LIMITS, ...Object.fromEntries(given) };
}

/** A full disk or a closed standard output must not end a server that serves already. */
function announce(line: string, logger: PinoLogger): void {
  process.stdout.on('error', ({ message }) => {
    logger.warn({ line, why: message }, 'the line that tells where the server listens could not be printed');
  });
  process.stdout.write(`${line}\n`);
}

async function claimPidfile(file: string, codes: StartFailureCodes): Promise<Pidfile> {
  try {
    return await takePidfile(file);
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof PidfileTakenError) throw new StartFailure(codes.pidfileTaken, message);
    throw new StartFailure(codes.pidfile, `pidfile: ${message}`);
  }
}

async function claimState(
  settings: Settings,
  codes: StartFailureCodes,
  logger: PinoLogger,
  isForced: boolean,
): Promise<Ledger | undefined> {
  try {
    return await openState(settings, logger, isForced);
  } catch (error) {
    if (error instanceof LedgerError) throw new StartFailure(EXIT_CODES.stateDirectory, explainStateError(error));
    // The clock, or the user of the settings.
    throw new StartFailure(error instanceof RangeError ? EXIT_CODES.failure : codes.usage, (error as Error).message);
  }
}

async function claimHistory(settings: Settings, codes: StartFailureCodes, logger: PinoLogger): Promise<KeptHistory> {
  try {
    return await keepHistory(settings, logger);
  } catch (error) {
    throw new StartFailure(codes.usage, (error as Error).message);
  }
}

async function claimNode(settings: Settings, codes: StartFailureCodes, parts: ClusterParts): Promise<ClusterNode> {
  try {
    return await makeClusterNode(settings, parts);
  } catch (error) {
    const exitCode = error instanceof SettingsError ? codes.usage : EXIT_CODES.cluster;
    throw new StartFailure(exitCode, (error as Error).message);
  }
}

async function startNode(node: ClusterNode, codes: StartFailureCodes): Promise<readonly string[]> {
  try {
    return await node.start();
  } catch (error) {
    const isOfSystem = (error as NodeJS.ErrnoException).syscall !== undefined;
    const message = (error as Error).message;
    throw isOfSystem
      ? new StartFailure(codes.cannotListen, `cannot listen: ${message}`)
      : new StartFailure(EXIT_CODES.cluster, `cannot join the cluster: ${message}`);
  }
}

async function openAll(
  server: FullLockServer,
  planned: readonly PlannedListener[],
  codes: StartFailureCodes,
): Promise<string[]> {
  const addresses: string[] = [];
  for (const { place, listener, options } of planned) {
    try {
      addresses.push(await server.listen(listener, options));
    } catch (error) {
      if (error instanceof LedgerError) throw new StartFailure(EXIT_CODES.stateDirectory, explainStateError(error));
      throw new StartFailure(codes.cannotListen, `cannot listen on ${place}: ${(error as Error).message}`);
    }
  }
  return addresses;
}

async function openMonitoring(
  planned: PlannedMonitoring | undefined,
  monitored: () => Monitored,
  logger: PinoLogger,
  codes: StartFailureCodes,
): Promise<Monitoring | undefined> {
  try {
    return await planned?.open(monitored, logger);
  } catch (error) {
    throw new StartFailure(codes.cannotListen, `cannot listen for HTTP: ${(error as Error).message}`);
  }
}

/** A node that has just begun to lead may have no server yet. */
function monitoredOf({ standing }: ClusterNode, leading: FullLockServer | undefined): Monitored {
  if (standing.role === 'standby') return standing;
  return leading === undefined ? { role: 'standby', reason: 'noLeader' } : { role: 'leader', monitor: leading.monitor };
}

/**
 * A terminal signals all its processes and npm passes its signal on, so a second signal within this time is the same
 * one.
 */
const SAME_SIGNAL_MS = 500;

/** The first signal lets clients finish, the second ends the process at once. */
function closeOnSignal(
  server: Serving,
  afterwards: readonly (Closable | undefined)[],
  logger: PinoLogger,
  log: LogDestination,
  pidfile: Pidfile | undefined,
  running: RunningSettings,
): void {
  let firstSignalMs: number | undefined;
  process.on('exit', () => pidfile?.release());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const nowMs = performance.now();
      firstSignalMs ??= nowMs;
      if (nowMs - firstSignalMs > SAME_SIGNAL_MS) process.exit(SIGNAL_EXIT_CODE + constants.signals[signal]);
      if (nowMs > firstSignalMs) return;
      const drainMs = running.current.drainSeconds * MS_A_SECOND;
      logger.info({ signal, drainMs }, 'stopping');
      void closeAll(server, afterwards, drainMs).then(() => {
        // Exits even if the last lines cannot be written. Destroys the log first, since it would otherwise try again at
        // the exit.
        const exit = (): void => {
          log.destroy();
          process.exit(EXIT_CODES.ok);
        };
        setTimeout(exit, LAST_LINES_TIMEOUT_MS);
        // Not `flush`, which does not wait when each line is written at once.
        log.once('close', exit);
        log.end();
      });
    });
  }
}

async function closeAll(
  server: Serving,
  afterwards: readonly (Closable | undefined)[],
  drainMs: number,
): Promise<void> {
  await server.close({ drainMs });
  for (const each of afterwards) await each?.close();
}
