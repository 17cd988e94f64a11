/** What happened in a chaos run as the clients saw it, and the check that it was right. */

import type { LockMode } from 'holdfast';
import { type FaultLog, longestMs } from './fault-log.ts';
import type { Fault } from './faults.ts';
import { type ClientEvent, nowMs } from './messages.ts';
import { overtakings } from './turns.ts';

/** A hold as its client believed in it. */
interface Hold {
  readonly client: number;
  readonly name: string;
  readonly mode: LockMode;
  readonly token: number;
  readonly leaseMs: number | undefined;
  readonly grantedMs: number;
  /** The first and the last time at which the client was sure. Whoever is sure late was so all the time before. */
  firstMs: number | undefined;
  lastMs: number | undefined;
  /** When its session went on last, on another connection. */
  resumedMs: number | undefined;
  /** When it was released or lost, or its process was killed. */
  endMs: number | undefined;
  end: 'released' | 'killed' | string | undefined;
}

/** A request as its client made it, of which the end is known once it was answered. */
export interface Call {
  readonly client: number;
  readonly fromMs: number;
  readonly waitMs: number;
  readonly lock: { readonly name: string; readonly mode: LockMode } | undefined;
  endMs: number | undefined;
  outcome: string | undefined;
}

/** The run of one client process, until it is killed. */
interface Run {
  readonly client: number;
  readonly holds: Map<number, Hold>;
  readonly calls: Map<number, Call>;
}

/** What the checker allows. */
export interface CheckerOptions {
  /** How long a call may take beyond its wait and the faults meanwhile. */
  readonly answerMs: number;
  readonly permitLimit: number;
  /** Of the session's time-out: after so much silence the server may say that the session is gone. */
  readonly goneShare: number;
  /** Called at once with each violation. */
  readonly tell: (violation: string) => void;
}

/** Of the session's time-out: after so much silence a session may be over although no fault alone took so long. */
const SILENCE_SHARE = 0.4;
/** The same when the connection was dead before, and the client had to find that out by itself. */
const SILENCE_AFTER_SILENCE_SHARE = 0.2;
/** A loss is noticed at most this much after the session is over. */
const NOTICE_MS = 2_000;
const CLOCK_SLACK_MS = 100;
/** A process that waits for a processor for less does not change the order of requests that are a second apart. */
const LONGEST_CALM_STARVED_MS = 300;
/** No client learns of a grant so much later than others do. */
const LONGEST_DISORDER_MS = 60_000;

/** Collects events and faults, and judges them. */
export class History {
  readonly log: FaultLog;
  /** What is judged once it is known who was starved. */
  #unjudged: { readonly atMs: number; readonly judge: () => void }[] = [];
  readonly violations: string[] = [];
  readonly counts: Map<string, number> = new Map();
  readonly #options: CheckerOptions;
  readonly #holds: Hold[] = [];
  readonly #calls: Call[] = [];
  readonly #byToken = new Map<number, Hold>();
  /** The greatest tokens that a resource has taken, by lock. */
  readonly #greatest = new Map<string, number>();
  /** The greatest tokens that were granted, by lock. */
  readonly #newest = new Map<string, number>();
  readonly #forced: { readonly name: string; readonly fromMs: number; readonly untilMs: number }[] = [];

  constructor(options: CheckerOptions, log: FaultLog) {
    this.#options = options;
    this.log = log;
  }

  /** A client process starts. Returns what takes its events. */
  begin(client: number): {
    add(event: ClientEvent): void;
    killed(atMs: number): number[];
    ended(atMs: number): void;
    holdsAnything(): boolean;
  } {
    const run: Run = { client, holds: new Map(), calls: new Map() };
    return {
      add: (event) => this.#add(run, event),
      killed: (atMs) => this.#kill(run, atMs),
      holdsAnything: () => run.holds.size > 0,
      ended: (atMs) => {
        for (const call of run.calls.values()) this.#checkCall(call, atMs, 'never answered');
      },
    };
  }

  /** How many clients have asked for anything. */
  get askingCount(): number {
    return new Set(this.#calls.map(({ client }) => client)).size;
  }

  /** How many locks were granted so far. */
  get grantCount(): number {
    return this.#holds.length;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  violation(atMs: number, text: string): void {
    const violation = `at ${this.log.time(atMs)}: ${text}`;
    this.violations.push(violation);
    this.#options.tell(violation);
  }

  /** Whether a token that the server lists may still be held. Undefined for one that no client has told of. */
  endOf(token: number): Pick<Hold, 'client' | 'endMs' | 'end'> | undefined {
    return this.#byToken.get(token);
  }

  /** Judges what happened until some time, by when it must be known who was starved. */
  judge(untilMs: number): void {
    const due = this.#unjudged.filter(({ atMs }) => atMs < untilMs);
    this.#unjudged = this.#unjudged.filter(({ atMs }) => atMs >= untilMs);
    for (const { judge } of due) judge();
  }

  /** The locks that some clients hold exclusively, as far as they have told. */
  heldBy(clients: ReadonlySet<number>): { readonly name: string; readonly token: number }[] {
    return this.#holds.filter(
      ({ client, mode, endMs, firstMs }) =>
        clients.has(client) && mode === 'exclusive' && endMs === undefined && firstMs !== undefined,
    );
  }

  /** A lock was taken from whoever held it, who may not hear of it. */
  forced(name: string, fromMs: number, untilMs: number): void {
    this.#forced.push({ name, fromMs, untilMs });
  }

  /** Whether anybody was granted a lock after the one with that token. */
  isSuperseded(name: string, token: number): boolean {
    return (this.#newest.get(name) ?? 0) > token;
  }

  /** Finds holds that met, once all events are here. */
  checkHolds(): void {
    this.judge(Number.POSITIVE_INFINITY);
    const byLock = new Map<string, Hold[]>();
    for (const hold of this.#holds) {
      if (hold.firstMs === undefined) continue;
      const key = hold.mode === 'permit' ? `permit ${hold.name}` : hold.name;
      const holds = byLock.get(key) ?? [];
      holds.push(hold);
      byLock.set(key, holds);
    }
    for (const holds of byLock.values()) this.#checkLock(holds.sort((a, b) => a.token - b.token));
    this.#checkOrder();
  }

  /** In the order of their tokens: nobody may be sure of a hold once a later one that excludes it has begun. */
  #checkLock(holds: readonly Hold[]): void {
    let recent: Hold[] = [];
    for (const later of holds) {
      const fromMs = later.firstMs as number;
      recent = recent.filter(({ lastMs = 0 }) => lastMs > fromMs - LONGEST_DISORDER_MS);
      const met = recent.filter(({ lastMs = 0 }) => lastMs > fromMs);
      recent.push(later);
      const against = met.filter((earlier) => excludes(earlier, later) && !this.#mayOverlap(earlier, later));
      const isMany = later.mode === 'permit' ? against.length >= this.#options.permitLimit : against.length > 0;
      if (!isMany) continue;
      const others = against.map((hold) => this.#show(hold)).join(', ');
      this.violation(fromMs, `two holders at once, or a token that fell: ${this.#show(later)} against ${others}`);
    }
  }

  #checkOrder(): void {
    const isCalm = (client: number, fromMs: number, untilMs: number): boolean => {
      const near = this.log.near(client, fromMs - this.log.clientKind(client).timeoutMs - NOTICE_MS, untilMs);
      return near.every((fault) => fault.kind === 'starved' && fault.untilMs - fault.fromMs < LONGEST_CALM_STARVED_MS);
    };
    for (const [earlier, later] of overtakings(this.#calls, isCalm)) {
      const { lock: { name, mode } = {}, fromMs, client } = earlier;
      const other = `${later.lock?.mode} of client ${later.client}, asked at ${this.log.time(later.fromMs)}`;
      const waiter = `${mode} ${name} of client ${client}, asked at ${this.log.time(fromMs)}`;
      this.violation(later.endMs as number, `out of turn: ${other}, was granted before ${waiter}`);
    }
  }

  /**
   * A proxy's end or a restart without a ledger frees what its client still believes in, up to its deadline; so does whoever takes a
   * lock away. But a server that goes on with the session tells what is lost.
   */
  #mayOverlap(earlier: Hold, later: Hold): boolean {
    const { client, name, grantedMs } = earlier;
    const [fromMs, lastMs] = [later.firstMs as number, earlier.lastMs as number];
    if (earlier.resumedMs !== undefined && earlier.resumedMs > fromMs) return false;
    const isFreed = this.log.causes.some((fault) => {
      const { mayOverlap, noticeMs } = this.log.costs(fault, client);
      return (
        mayOverlap &&
        this.log.hits(fault, client) &&
        // A grant of before may come late.
        grantedMs <= fault.untilMs + CLOCK_SLACK_MS + this.log.ownHurtMs(client, fault.untilMs, grantedMs) &&
        fromMs >= fault.fromMs &&
        lastMs <= fault.untilMs + noticeMs + this.log.ownHurtMs(client, fault.untilMs, lastMs)
      );
    });
    const { timeoutMs } = this.log.clientKind(client);
    const isForced = this.#forced.some(
      (force) => force.name === name && grantedMs <= force.untilMs && lastMs <= force.untilMs + timeoutMs,
    );
    if (isFreed) this.count('overlaps that are not ruled out');
    else if (isForced) this.count('overlaps by force');
    return isFreed || isForced;
  }

  #add(run: Run, event: ClientEvent): void {
    if (event.kind === 'call') this.#call(run, event);
    else if (event.kind === 'answered') this.#answer(run, event);
    else if (event.kind === 'granted') this.#grant(run, event);
    else if (event.kind === 'connection') this.#changeConnection(run, event);
    else if (event.kind === 'sure') for (const id of event.holds) this.#beSure(run.holds.get(id), event.at);
    else {
      const hold = run.holds.get(event.hold);
      run.holds.delete(event.hold);
      if (hold === undefined) return;
      hold.endMs = event.at;
      hold.end = event.kind === 'lost' ? event.code : 'released';
      if (event.kind === 'lost') this.#judgeLater(() => this.#checkLoss(hold, event.at, event.code));
    }
  }

  #changeConnection({ client, holds }: Run, { at, change }: ClientEvent & { kind: 'connection' }): void {
    for (const hold of holds.values()) {
      if (change === 'resumed') hold.resumedMs = at;
      // S7: without a session, the holds are lost with the connection.
      else if (!this.log.clientKind(client).isKept)
        this.violation(at, `kept without its connection: ${this.#show(hold)}`);
    }
  }

  #call({ client, calls }: Run, { call: id, at, waitMs, lock }: ClientEvent & { kind: 'call' }): void {
    const call = { client, fromMs: at, waitMs, lock, endMs: undefined, outcome: undefined };
    calls.set(id, call);
    this.#calls.push(call);
  }

  #answer(run: Run, { call: id, at, outcome }: ClientEvent & { kind: 'answered' }): void {
    const call = run.calls.get(id);
    run.calls.delete(id);
    this.count(`calls: ${outcome}`);
    if (call === undefined) return;
    call.endMs = at;
    call.outcome = outcome;
    this.#checkCall(call, at, outcome);
  }

  #grant(run: Run, { hold: id, at, name, mode, token, leaseMs }: ClientEvent & { kind: 'granted' }): void {
    const sure = { firstMs: undefined, lastMs: undefined, resumedMs: undefined };
    const hold = {
      client: run.client,
      name,
      mode,
      token,
      leaseMs,
      grantedMs: at,
      ...sure,
      endMs: undefined,
      end: undefined,
    };
    const before = this.#byToken.get(token);
    if (before !== undefined) this.violation(at, `the token ${token} was given twice: ${this.#show(before)}`);
    run.holds.set(id, hold);
    this.#holds.push(hold);
    this.#byToken.set(token, hold);
    this.#newest.set(name, Math.max(token, this.#newest.get(name) ?? 0));
    this.#write(hold);
  }

  #beSure(hold: Hold | undefined, atMs: number): void {
    if (hold === undefined) return;
    hold.firstMs ??= atMs;
    hold.lastMs = atMs;
  }

  /** The resource takes tokens in the order in which they arrive, and refuses those of holders that were overtaken. */
  #write({ name, mode, token }: Hold): void {
    if (mode !== 'exclusive') return;
    const isTaken = token > (this.#greatest.get(name) ?? 0);
    if (isTaken) this.#greatest.set(name, token);
    this.count(isTaken ? 'tokens taken' : 'tokens refused');
  }

  #kill(run: Run, atMs: number): number[] {
    const tokens: number[] = [];
    for (const hold of run.holds.values()) {
      hold.endMs = atMs;
      hold.end = 'killed';
      tokens.push(hold.token);
    }
    run.holds.clear();
    return tokens;
  }

  #judgeLater(judge: () => void): void {
    this.#unjudged.push({ atMs: nowMs(), judge });
  }

  #checkCall({ client, fromMs, waitMs }: Call, endMs: number, outcome: string): void {
    const { answerMs } = this.#options;
    const lateMs = endMs - fromMs - waitMs;
    if (lateMs <= answerMs) return;
    this.#judgeLater(() => {
      if (lateMs - this.log.hurtMs(client, fromMs, endMs) <= answerMs) return;
      const took = `${(endMs - fromMs).toFixed(0)} ms for a wait of ${waitMs} ms`;
      const faults = this.log.show(client, fromMs - this.log.clientKind(client).timeoutMs, endMs);
      this.violation(endMs, `a waiter forgotten: client ${client}, ${outcome} after ${took} ${faults}`);
    });
  }

  #checkLoss(hold: Hold, atMs: number, code: string): void {
    this.count(`lost: ${code}`);
    if (code === 'closed') return;
    if (code === 'forced' && this.#isForced(hold, atMs)) return;
    const { timeoutMs } = this.log.clientKind(hold.client);
    // A client that was blocked learns late of its grant.
    const lateMs = this.log.ownHurtMs(hold.client, hold.grantedMs - timeoutMs, hold.grantedMs);
    const isOwed = (fault: Fault): boolean => {
      const { mayCost, noticeMs } = this.log.costs(fault, hold.client);
      return (
        mayCost &&
        this.log.hits(fault, hold.client) &&
        hold.grantedMs - lateMs <= fault.untilMs + NOTICE_MS &&
        fault.fromMs <= atMs &&
        atMs <= fault.untilMs + noticeMs + NOTICE_MS
      );
    };
    if (this.log.causes.some(isOwed)) return;
    const boundMs = code === 'leaseOver' ? (hold.leaseMs ?? 0) : timeoutMs;
    const near = this.log.near(hold.client, atMs - boundMs - NOTICE_MS, atMs);
    const isSilent = this.log
      .near(hold.client, atMs - timeoutMs - NOTICE_MS, atMs)
      .some((fault) => this.log.costs(fault, hold.client).silentMs > 0);
    // Whoever waits for an answer on a dead connection waits for longer than a lease.
    if (code === 'leaseOver' && isSilent) return;
    // A pause of the client alone costs nothing but a lease.
    const isExcused = code === 'leaseOver' || near.some(({ kind }) => !kind.startsWith('client '));
    const aliveShare = code === 'connectionLost' ? this.#options.goneShare : SILENCE_SHARE;
    const share = isSilent ? SILENCE_AFTER_SILENCE_SHARE : aliveShare;
    if (isExcused && longestMs(near, atMs) > boundMs * share) return;
    this.violation(atMs, `lost by no fault that may cost it (${code}): ${this.#show(hold)}`);
  }

  #isForced({ name, grantedMs }: Hold, atMs: number): boolean {
    return this.#forced.some((force) => force.name === name && grantedMs <= force.untilMs && force.fromMs <= atMs);
  }

  /** For people: a hold and the faults that hit its client while it lasted. */
  #show(hold: Hold): string {
    const { client, name, mode, token, grantedMs, lastMs = grantedMs, end = 'held' } = hold;
    const time = `${this.log.time(grantedMs)}-${this.log.time(lastMs)}`;
    const faults = this.log.show(client, grantedMs - this.log.clientKind(client).timeoutMs, lastMs);
    return `${mode} ${name} token ${token} of client ${client}, ${time}, ${end} ${faults}`;
  }
}

function excludes(a: Hold, b: Hold): boolean {
  return a.mode !== 'shared' || b.mode !== 'shared';
}
