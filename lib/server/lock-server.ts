/** The lock server: carries out the commands of the message protocol on a lock manager. */

import cluster from 'node:cluster';
import { NO_SESSIONS } from '../ledger/memory-ledger.ts';
import type { Listener } from '../message/byte-stream.ts';
import { requireKnownOptions } from '../message/known-options.ts';
import type { MessageConnection } from '../message/message-connection.ts';
import type { Request } from '../message/message-router.ts';
import { type CloseOptions, type ConnectionEnd, MessageServer } from '../message/message-server.ts';
import type { MessageId } from '../message/message-session.ts';
import { mapResult, type PendingResult } from '../message/pending-result.ts';
import type { ListenOptions } from '../message/protocol.ts';
import type { ServerStatistics } from '../protocol.ts';
import { DENIED, hideOthers, OK, withStatus } from './answers.ts';
import { COMMAND_REFUSALS } from './command-refusals.ts';
import { answerHistory } from './history-command.ts';
import type { HistorySource } from './history-source.ts';
import { KeptListings } from './kept-listings.ts';
import { meantClients, tellKilled } from './killed-sessions.ts';
import { Lead } from './lead.ts';
import { LocalLockManager } from './local-lock-manager.ts';
import type {
  CancelParameters,
  ForceUnlockParameters,
  HelloParameters,
  HistoryParameters,
  IdentifyParameters,
  InspectParameters,
  KillParameters,
  ListParameters,
  LockAllParameters,
  LockParameters,
  PingParameters,
  ReclaimParameters,
  SurveyParameters,
  UnlockAllParameters,
  UnlockParameters,
  VerifyParameters,
  WatchParameters,
  WhoParameters,
} from './lock-commands.ts';
import { LOCK_COMMANDS } from './lock-commands.ts';
import type { LockAllResult, LockManager, LockResult } from './lock-manager.ts';
import type { ObservedClient } from './lock-observer.ts';
import type { LockObservers } from './lock-observers.ts';
import type { LockProtocol, LockServerParts } from './lock-protocol.ts';
import { invalidParameters, LockRequests, type Refusal, refuseLength, refuseNames } from './lock-requests.ts';
import { ChangingLimits, type LockServerLimits, TOLD_LIMITS } from './lock-server-limits.ts';
import { LOCK_LISTEN_OPTIONS, LOCK_SERVER_OPTIONS, type LockServerOptions } from './lock-server-options.ts';
import { LockWatches } from './lock-watches.ts';
import { NameRegistry } from './name-registry.ts';
import { PlannedStop } from './planned-stop.ts';
import { ServerMonitor } from './server-monitor.ts';
import { LockServerSession } from './session.ts';
import { SessionKeeper } from './session-keeper.ts';
import { answerSurvey } from './survey-command.ts';
import { MAX_SURVEYED, Surveys } from './surveys.ts';
import { tellTaken } from './taken-holds.ts';
import { ledgerInMemory } from './tokens.ts';
import { VERSION } from './version.ts';

const PROTOCOL = 1;
const DEFAULT_LISTED = 100;

/** Serves locks to the clients of its listeners. */
export class LockServer extends MessageServer<LockServerSession> {
  /** For the status page, the metrics and the health checks. */
  readonly monitor: ServerMonitor;
  readonly #changingLimits: ChangingLimits;
  readonly #limits: LockServerLimits;
  readonly #manager: LockManager;
  readonly #observers: LockObservers;
  readonly #watches: LockWatches;
  readonly #surveys = new Surveys();
  readonly #registry = new NameRegistry();
  readonly #keptListings: KeptListings;
  readonly #sessionKeeper: SessionKeeper;
  readonly #lead: Lead;
  readonly #plannedStop: PlannedStop | undefined;
  readonly #startedMs = performance.now();
  readonly #isDumpOn: boolean;
  readonly #history: HistorySource | undefined;
  readonly #isRegistryOn: boolean;
  readonly #isForceUnlockOn: boolean;
  readonly #requests: LockRequests;
  readonly #protocols: readonly LockProtocol[];

  /** @throws TypeError when an option or a limit is unknown, RangeError when tokens cannot begin at the clock's time. */
  constructor(options: LockServerOptions = {}) {
    const {
      limits: given = {},
      manager,
      ledger,
      dump = true,
      registry = true,
      forceUnlock = false,
      protocols = [],
      cluster: view,
      observers = [],
      history,
      ...rest
    } = requireKnownOptions(options, LOCK_SERVER_OPTIONS);
    const changingLimits = new ChangingLimits(given);
    const limits = changingLimits.current;
    super({ ...rest, limits, commands: LOCK_COMMANDS, refusalReasons: Object.keys(COMMAND_REFUSALS) });
    this.#changingLimits = changingLimits;
    this.#limits = limits;
    const own = ledger ?? (manager === undefined ? ledgerInMemory(this.logger) : undefined);
    this.#manager = manager ?? new LocalLockManager({ limits: changingLimits.ofTable, ...(own && { ledger: own }) });
    this.#observers = this.#manager.observe(observers, this.logger);
    this.#watches = new LockWatches(this.#observers, limits);
    this.#keptListings = new KeptListings(limits);
    this.#isDumpOn = dump;
    this.#history = history;
    this.#sessionKeeper = new SessionKeeper({
      limits,
      list: own?.sessions ?? NO_SESSIONS,
      manager: this.#manager,
      nowMs: () => performance.now(),
      logger: this.logger,
      present: (answer) => (dump ? answer : hideOthers(answer)),
      onRefused: (session, cause) => this.refused(session.address, cause),
    });
    this.#lead = new Lead(own, view, this.logger);
    this.#plannedStop = own?.isDurable === true ? new PlannedStop(own, this.logger) : undefined;
    this.#isRegistryOn = registry;
    this.#isForceUnlockOn = forceUnlock;
    this.#requests = new LockRequests({ limits, steal: forceUnlock ? 'any' : 'stealable' });
    this.monitor = new ServerMonitor({
      manager: this.#manager,
      limits,
      isDumpOn: dump,
      statistics: () => this.#statistics(),
      connected: () => this.sessions,
      absent: () => this.#sessionKeeper.absent(),
      isInGrace: () => this.#sessionKeeper.isInGrace,
      isDraining: () => this.isClosing,
      history,
    });
    this.#protocols = protocols.map((plugIn) => plugIn(this.#parts()));
    for (const protocol of this.#protocols) this.addProtocol(protocol);
  }

  /**
   * Listens on a further listener; resolves to its address. Rejects with the system's error, such as `EADDRINUSE`, or
   * with a TypeError for an unknown option, or with a `LedgerError` when a planned stop cannot be loaded. Also rejects in a worker of `node:cluster`: its workers share ports, and
   * each would grant the same lock.
   */
  override async listen(listener: Listener, options: ListenOptions = {}): Promise<string> {
    requireKnownOptions(options, LOCK_LISTEN_OPTIONS);
    if (cluster.isWorker) throw new Error(SHARED_PORTS);
    await this.#plannedStop?.takeOnce((saved) => this.#sessionKeeper.load(saved));
    return await super.listen(listener, options);
  }

  /**
   * Stops listening, answers `draining` to waiters and new lock requests, gives holders up to `drainMs` milliseconds
   * (none by default) to release, or until `signal` aborts, then closes all connections. Resolves when they are gone. With a ledger that outlives the process,
   * saves what the sessions hold and await, and answers these waiters nothing.
   */
  override async close(options: CloseOptions = {}): Promise<void> {
    if (!this.isClosing) this.#observers.stopping();
    try {
      await super.close(options);
    } finally {
      // In grace nobody knows what those hold who are not back: the next run waits for them as well.
      if (!this.#sessionKeeper.isInGrace) await this.#plannedStop?.saveOnce(() => this.#sessionKeeper.save());
      this.#sessionKeeper.close();
      this.#manager.close();
    }
  }

  /**
   * Makes other limits hold from now on; those that are left out stay. What is above a lowered limit stays, and new requests are refused. A
   * `manager` that was given keeps its own.
   * @throws TypeError for an unknown limit, or another value of `maxMessageBytes` or `maxMessageValues`.
   */
  changeLimits(limits: Partial<LockServerLimits>): void {
    this.#changingLimits.change(limits);
    this.setLimits(limits);
  }

  /** Acquires a lock. If the request has to wait, its result comes later. */
  commandLock(
    session: LockServerSession,
    parameters: LockParameters,
    id: MessageId,
  ): LockResult | Refusal | PendingResult<LockResult> {
    const request = this.#requests.ofLock(parameters, id);
    if ('status' in request) return request;
    const acquired = this.#sessionKeeper.confirm(session, id, session.locks.acquire(request));
    const result = this.#isDumpOn ? acquired : mapResult(acquired, hideOthers);
    if (request.steal === undefined) return result;
    return mapResult(result, (answer) => {
      if (answer.status !== 'ok') return answer;
      const { taken, ...granted } = answer;
      tellTaken(this.quietLog, this.#observers, { by: 'steal', session, lockName: request.name, taken });
      return granted;
    });
  }

  /** Acquires several locks, all or none. If the request has to wait, its result comes later. */
  commandLockAll(
    session: LockServerSession,
    parameters: LockAllParameters,
    id: MessageId,
  ): LockAllResult | Refusal | PendingResult<LockAllResult> {
    const request = this.#requests.ofLockAll(parameters, id);
    if ('status' in request) return request;
    const answer = this.#sessionKeeper.confirm(session, id, session.locks.acquireAll(request));
    return this.#isDumpOn ? answer : mapResult(answer, hideOthers);
  }

  /** Releases one lock, or leaves its queue. */
  commandUnlock(session: LockServerSession, parameters: UnlockParameters): object {
    const { lockName, mode, owner, token } = parameters;
    if (lockName === undefined && token === undefined) {
      return invalidParameters('parameters.lockName is missing; expected it or a token');
    }
    return session.locks.release({ name: lockName, mode, tag: owner, token });
  }

  /** Releases all locks of the session and leaves all queues. */
  commandUnlockAll(session: LockServerSession, { owner }: UnlockAllParameters): object {
    return session.locks.releaseAll(owner);
  }

  /** Takes a lock away from all its holders. */
  commandForceUnlock(session: LockServerSession, { lockName, mode = 'exclusive' }: ForceUnlockParameters): object {
    if (!this.#isForceUnlockOn && !session.isAdmin) return DENIED;
    const released = this.#manager.forceRelease(lockName, mode === 'permit' ? 'permit' : 'readerWriter');
    return mapResult(released, ({ taken, ...result }) => {
      tellTaken(this.quietLog, this.#observers, { by: 'forceUnlock', session, lockName, taken });
      return result;
    });
  }

  /** Ends the sessions of a client, and its connections, at once. The one that asks goes on. */
  commandKill(session: LockServerSession, parameters: KillParameters): object {
    if (!this.#isForceUnlockOn && !session.isAdmin) return DENIED;
    const clients = meantClients(parameters);
    if ('status' in clients) return clients;
    const isMeant = (each: ObservedClient): boolean => each !== session && clients.isMeant(each);
    const connected = this.sessions.filter((each) => each.state === 'live' && isMeant(each));
    for (const each of connected) {
      each.isKilled = true;
      this.cutOff(each);
    }
    const count = connected.length + this.#sessionKeeper.kill(isMeant);
    tellKilled(this.quietLog, this.#observers, { by: session, killed: clients.text, count });
    return { status: 'ok', killed: count };
  }

  /** Cancels one waiting request of the session. */
  commandCancel(session: LockServerSession, { id }: CancelParameters): object {
    return session.locks.cancel(id);
  }

  /** Tells whether a lock is still held with a token. */
  commandVerify(_session: LockServerSession, { lockName, token }: VerifyParameters): object {
    return refuseLength(this.#limits, 'maxNameBytes', lockName) ?? this.#manager.verify(lockName, token);
  }

  /** Tells who holds a lock and who waits for it. */
  commandInspect(_session: LockServerSession, { lockName, max = DEFAULT_LISTED }: InspectParameters): object {
    if (!this.#isDumpOn) return DENIED;
    const refusal = refuseLength(this.#limits, 'maxNameBytes', lockName);
    if (refusal !== undefined) return refusal;
    return withStatus(this.#manager.inspect(lockName, Math.min(max, this.#limits.maxPageEntries)));
  }

  /** Tells who holds and who waits for each lock, page by page in the order of the names. */
  commandList(session: LockServerSession, parameters: ListParameters): object {
    if (!this.#isDumpOn) return DENIED;
    const { prefix, after, max = DEFAULT_LISTED } = parameters;
    const refusal = refuseNames(this.#limits, prefix, after);
    if (refusal !== undefined) return refusal;
    const request = { prefix, after, max: Math.min(max, this.#limits.maxPageEntries) };
    return this.#keptListings.nextPage(session, request, this.#manager);
  }

  /** Tells what happened to locks, page by page, the newest first. */
  commandHistory({ connection }: LockServerSession, parameters: HistoryParameters): object {
    if (!this.#isDumpOn || this.#history === undefined) return DENIED;
    const withMax = { max: DEFAULT_LISTED, ...parameters };
    return answerHistory(this.#history, this.#limits, withMax, () => !connection.isClosed);
  }

  /** Tells the connection from now on what happens to a lock, to those with a prefix, or to all. */
  commandWatch(session: LockServerSession, parameters: WatchParameters): object {
    if (!this.#isDumpOn) return DENIED;
    const { lockName, prefix } = parameters;
    return refuseNames(this.#limits, lockName, prefix) ?? this.#watches.begin(session, parameters) ?? OK;
  }

  /** Tells what stands out among all locks: the longest waits and holds. */
  commandSurvey(_session: LockServerSession, { max = MAX_SURVEYED }: SurveyParameters): object {
    if (!this.#isDumpOn) return DENIED;
    return answerSurvey(this.monitor, this.#surveys, max);
  }

  /** Returns the current counts and the totals since the start. */
  commandStats(): object {
    return withStatus(this.#statistics());
  }

  /** Tells which servers there are, where this one leads others. */
  commandCluster(): object {
    return this.#lead.describe();
  }

  /** Gives the client a name, or clears it. */
  commandIdentify(session: LockServerSession, { name }: IdentifyParameters): object {
    if (!this.#isRegistryOn) return DENIED;
    const refusal = refuseLength(this.#limits, 'maxClientNameBytes', name);
    if (refusal !== undefined) return refusal;
    this.#registry.register(session, name);
    return OK;
  }

  /** Tells the client its own address and name. */
  commandWhoami(session: LockServerSession): object {
    return { status: 'ok', address: session.address, name: session.clientName };
  }

  /** Lists the clients that have a name, page by page, in the order of registration. */
  commandWho(_session: LockServerSession, { name, after = 0, max = DEFAULT_LISTED }: WhoParameters): object {
    if (!this.#isDumpOn || !this.#isRegistryOn) return DENIED;
    const refusal = refuseLength(this.#limits, 'maxClientNameBytes', name ?? '');
    if (refusal !== undefined) return refusal;
    return { status: 'ok', ...this.#registry.page(name, after, Math.min(max, this.#limits.maxPageEntries)) };
  }

  commandPing(session: LockServerSession, { confirm = false }: PingParameters): object {
    return confirm ? this.#lead.confirmed(session, false, () => OK) : OK;
  }

  /** Agrees on the protocol, opens or resumes a session, and tells the client about this server and its limits. */
  commandHello(session: LockServerSession, parameters: HelloParameters): object {
    const hello = (): object => this.#hello(session, parameters);
    return parameters.confirm ? this.#lead.confirmed(session, true, hello) : hello();
  }

  #hello(session: LockServerSession, { name, session: asked }: HelloParameters): object {
    if (name !== undefined && this.#isRegistryOn) {
      const refusal = refuseLength(this.#limits, 'maxClientNameBytes', name);
      if (refusal !== undefined) return refusal;
      this.#registry.register(session, name);
    }
    if (asked === undefined) return this.#describe();
    return mapResult<object, object>(this.#sessionKeeper.hello(session, asked), (kept) =>
      'status' in kept ? kept : { ...this.#describe(), session: kept },
    );
  }

  /** Takes what the client held before the server was started. */
  commandReclaim(session: LockServerSession, parameters: ReclaimParameters): object {
    return this.#sessionKeeper.reclaim(session, parameters);
  }

  /** Ends the session: its waits are cancelled and its locks are free. */
  commandBye(session: LockServerSession): object {
    this.#sessionKeeper.bye(session);
    session.locks.end('bye');
    session.locks = this.#manager.openSession(session);
    return OK;
  }

  protected override createSession(connection: MessageConnection, { admin }: ListenOptions): LockServerSession {
    return new LockServerSession(connection, this.#manager, admin === true);
  }

  protected override sessionEnded(session: LockServerSession, end: ConnectionEnd): void {
    this.#registry.forget(session);
    this.#keptListings.forget(session);
    this.#watches.end(session);
    // A client whose session goes on is answered on its next connection, so this one closes although answers are to come.
    const how = session.isKilled ? 'killed' : end;
    if (this.#sessionKeeper.connectionEnded(session, how) === 'kept') session.connection.end();
    else session.locks.end(how);
  }

  protected override drain(): Promise<void> {
    return this.#manager.drain();
  }

  protected override answerBare(session: LockServerSession, message: Request): boolean {
    return this.#protocols.some((protocol) => protocol.answerBare?.(session, message) ?? false);
  }

  #describe(): object {
    return {
      status: 'ok',
      server: 'holdfast',
      version: VERSION,
      protocol: PROTOCOL,
      epoch: this.#manager.epoch,
      lineage: this.#manager.lineage,
      durable: this.#manager.isDurable,
      clustered: this.#lead.isClustered || undefined,
      limits: Object.fromEntries(TOLD_LIMITS.map((limit) => [limit, this.#limits[limit]])),
    };
  }

  #parts(): LockServerParts {
    return {
      manager: this.#manager,
      registry: this.#registry,
      limits: this.#limits,
      pagedWork: this.pagedWork,
      isDumpOn: this.#isDumpOn,
      isRegistryOn: this.#isRegistryOn,
      countConnections: () => this.sessionCount,
      onRefused: (session, cause) => this.refused(session.address, cause),
    };
  }

  #statistics(): ServerStatistics | PendingResult<ServerStatistics> {
    return mapResult(this.#manager.statistics(), (locks) => ({
      ...locks,
      ...this.counters,
      ...this.#sessionKeeper.statistics,
      openConnections: this.sessionCount,
      requests: this.requestCounts,
      notOk: this.notOkCounts,
      uptimeMs: Math.round(performance.now() - this.#startedMs),
    }));
  }
}

const SHARED_PORTS =
  'this process is a worker of node:cluster, whose workers share their ports, and each would grant the same lock; ' +
  'start one process (with pm2: in fork mode, one instance)';
