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
import { type ClusterParts, makeClusterNode } from './cluster.ts';
import { isClustered } from './cluster-settings.ts';
import { EXIT_CODES, SIGNAL_EXIT_CODE } from './exit-codes.ts';
import { type KeptHistory, keepHistory } from './keep-history.ts';
import { type PlannedListener, planListeners } from './listeners.ts';
import { type PlannedMonitoring, planMonitoring } from './monitoring.ts';
import { fitToOpenFiles } from './open-files.ts';
import { type Pidfile, PidfileTakenError, takePidfile } from './pidfile.ts';
import { dropPrivileges, withAccount } from './privileges.ts';
import { type Settings, SettingsError } from './settings.ts';
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
  /** Starts although the state directory is damaged. */
  readonly isStateForced?: boolean;
  /** Accepts what etcd has now, although it was set back. */
  readonly isRaised?: boolean;
  /** Whether the port of the status page was given on the command line, so that it must be free. */
  readonly isHttpPortGiven?: boolean;
  /** Variables that begin like those of settings and are none. */
  readonly ignoredVariables?: readonly string[];
}

/** What runs until a signal ends it: a server, or the node of a cluster. */
interface Serving {
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** What ends after it. */
interface Closable {
  close(): Promise<void>;
}

/**
 * Starts a server. The first SIGINT or SIGTERM drains it, the second ends it at once, and SIGHUP reads the certificates
 * again. Prints the line that tells the addresses where it listens. Rejects with a `StartFailure`.
 */
export async function serve(
  settings: Settings,
  codes: StartFailureCodes,
  startLine: (addresses: readonly string[]) => string,
  { isStateForced = false, isRaised = false, isHttpPortGiven = false, ignoredVariables = [] }: ServeOptions = {},
): Promise<void> {
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTES}`);
  const planned = failWith(codes.usage, () => planListeners(settings));
  const plannedMonitoring = failWith(codes.usage, () => planMonitoring(settings, isHttpPortGiven));
  const pidfile = settings.pidfile === '' ? undefined : await claimPidfile(settings.pidfile, codes);
  const { verbose, dump, registry, forceUnlock } = settings;
  // Writes asynchronously and drops lines that nobody reads, so that the log never keeps clients waiting.
  const log = pino.destination({ fd: STDERR, sync: false, maxLength: MAX_UNREAD_LOG_BYTES });
  // A full disk costs lines of the log, not the locks.
  log.on('error', () => {});
  const logger = pino({ level: verbose ? 'debug' : 'info' }, log);
  const monitoringFiles = plannedMonitoring === undefined ? 0 : 1 + settings.http.maxConnections;
  const filesAConnection = isClustered(settings) ? 2 : 1;
  const { limits, notice } = fitToOpenFiles(limitsOf(settings), planned.length + monitoringFiles, filesAConnection);
  let server: Serving | undefined;
  let ledger: Ledger | undefined;
  let monitoring: Monitoring | undefined;
  let monitored: () => Monitored;
  try {
    const history = await claimHistory(settings, codes, logger);
    const observers = [
      ...(history.options.observers ?? []),
      ...(plannedMonitoring ? [plannedMonitoring.durations] : []),
    ];
    const options = { limits, logger, dump, registry, forceUnlock, ...history.options, observers };
    let addresses: readonly string[];
    if (isClustered(settings)) {
      let leading: FullLockServer | undefined;
      const onServer = (made: FullLockServer): void => {
        leading = made;
      };
      const parts = { planned, limits, logger, serverOptions: options, isRaised, onServer };
      const node = await claimNode(settings, codes, parts);
      server = node;
      monitored = () => monitoredOf(node, leading);
      addresses = await startNode(node, codes);
      process.on('SIGUSR2', () => node.stepDown());
    } else {
      ledger = await claimState(settings, codes, logger, isStateForced);
      const single = failWith(EXIT_CODES.failure, () => new FullLockServer({ ...options, ...(ledger && { ledger }) }));
      server = single;
      monitored = () => ({ role: 'single', monitor: single.monitor });
      addresses = await openAll(single, planned, codes);
    }
    monitoring = await openMonitoring(plannedMonitoring, monitored, logger, codes);
    const socketFiles = planned.flatMap(({ socketFile }) => socketFile ?? []);
    failWith(codes.usage, () => dropPrivileges(settings, socketFiles));
    closeOnSignal(server, [monitoring, ledger, history], logger, log, pidfile, settings.drainSeconds * MS_A_SECOND);
    process.on('SIGHUP', () => reloadAll(planned, logger));
    if (ignoredVariables.length > 0) logger.warn({ variables: ignoredVariables }, IGNORED);
    if (notice !== undefined) logger.warn({ maxConnections: limits.maxConnections }, notice);
    announce(startLine(addresses), logger);
  } catch (error) {
    await monitoring?.close();
    // A planned stop that was loaded is saved again, as the user who may read it.
    if (ledger === undefined) await server?.close();
    else await withAccount(settings, async () => await server?.close());
    await ledger?.close();
    pidfile?.release();
    throw error;
  }
}

const IGNORED = 'some variables of the environment begin like settings, but none has this name; they are ignored';

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
  drainMs: number,
): void {
  let firstSignalMs: number | undefined;
  process.on('exit', () => pidfile?.release());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const nowMs = performance.now();
      firstSignalMs ??= nowMs;
      if (nowMs - firstSignalMs > SAME_SIGNAL_MS) process.exit(SIGNAL_EXIT_CODE + constants.signals[signal]);
      if (nowMs > firstSignalMs) return;
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

function reloadAll(planned: readonly PlannedListener[], logger: PinoLogger): void {
  for (const { place, reload } of planned) {
    if (reload === undefined) continue;
    try {
      reload();
      logger.info({ place }, 'read the certificates again');
    } catch (error) {
      const why = (error as Error).message;
      logger.error({ place, why }, 'the certificates could not be read again; the old ones stay');
    }
  }
}
