/** Mistakes for a copy of the build, each against a rule: to show that the chaos run notices them. */

import type { FaultKind } from '../faults.ts';

/** A change of one built file. */
export interface PlantedBug {
  readonly name: string;
  /** The rule that it breaks: of docs/guarantees.md, or of the lock table. */
  readonly rule: string;
  /** Below `dist/lib`. */
  readonly file: string;
  /** Is there once. */
  readonly find: string;
  readonly replace: string;
  /** How the violations begin by which it is noticed. Others may come of a busy machine. */
  readonly shows: readonly string[];
  /** The faults that matter to it. */
  readonly only: readonly FaultKind[];
  /** How often each of them comes; three times if undefined. */
  readonly rounds?: number;
}

const SESSIONS = 'sessions/kept-sessions.js';
const KEEPER = 'server/session-keeper.js';
const LIFE = 'client/session-life.js';
const DEADLINE = 'client/session-deadline.js';
const RESETS: readonly FaultKind[] = ['connection reset', 'replies lost before a cut'];
const CUT_OFF: readonly FaultKind[] = [
  'client blocked and cut off',
  'replies late and cut off',
  'host cut off for long',
];
/** What is wrong without any fault shows with any. */
const ANY: readonly FaultKind[] = ['client stopped'];

const OF_SESSIONS: readonly PlantedBug[] = [
  {
    name: 'the connection before stays open',
    rule: 'S1',
    file: KEEPER,
    find: 'before?.connection.destroy();\n        // L2',
    replace: '// L2',
    shows: ['left on the server'],
    only: ['reset on the client side'],
  },
  {
    name: 'a reset ends the session',
    rule: 'what frees a lock',
    file: KEEPER,
    find: "end === 'lost' &&",
    replace: 'false &&',
    shows: ['lost by no fault', 'two holders'],
    only: RESETS,
  },
  {
    name: 'the end of a process counts as a reset',
    rule: 'what frees a lock',
    file: 'message/message-server.js',
    find: "options.proxied === true && !stream.isFramed ? 'lost' : 'left'",
    replace: "'lost'",
    shows: ['of crashes'],
    only: ['client killed'],
    rounds: 40,
  },
  {
    name: 'a session that is over frees nothing',
    rule: 'what frees a lock',
    file: KEEPER,
    find: '(kept.client?.locks ?? this.#takeLoaded(kept))?.end();',
    replace: '',
    shows: ['left behind', 'left on the server'],
    only: CUT_OFF,
  },
  {
    name: 'a session is over too early',
    rule: 'what frees a lock',
    file: SESSIONS,
    find: 'lastHeardMs + session.timeoutMs',
    replace: 'lastHeardMs + 50',
    shows: ['lost by no fault', 'two holders'],
    only: RESETS,
  },
  {
    name: 'a resume lists no holds',
    rule: 'S3',
    file: LIFE,
    find: 'holds: holds.map(',
    replace: 'holds: [].map(',
    shows: ['two holders'],
    only: RESETS,
  },
  {
    name: 'a resume lists no requests',
    rule: 'S3',
    file: LIFE,
    find: 'requests: requests.map(',
    replace: 'requests: [].map(',
    shows: ['a waiter forgotten'],
    only: RESETS,
  },
  {
    name: 'a resume frees nothing that is not listed',
    rule: 'S3',
    file: 'locks/resumption.js',
    find: 'isHeld(claim) && !resumption.tokens.has(claim.token)',
    replace: 'false && !resumption.tokens.has(claim.token)',
    shows: ['left behind', 'left on the server'],
    only: ['known proxy killed', 'connection reset'],
    rounds: 12,
  },
  {
    name: 'the deadline is later than the end of the session',
    rule: 'S4',
    file: DEADLINE,
    find: 'this.#timeoutMs - this.#marginMs',
    replace: '1.5 * this.#timeoutMs',
    shows: ['two holders'],
    only: CUT_OFF,
  },
  {
    name: 'a client ends its connection before a later one is answered',
    rule: 'S2',
    file: LIFE,
    find: 'this.#abandoned.push(stream);',
    replace: 'stream.destroy();',
    shows: ['lost by no fault', 'two holders'],
    only: ['half-closed to the client'],
    rounds: 25,
  },
  {
    name: 'a client does not leave a connection that is silent',
    rule: 'S5',
    file: DEADLINE,
    find: 'this.#events.silent();',
    replace: '',
    shows: ['lost by no fault', 'a waiter forgotten'],
    only: ['reset on the server side'],
    rounds: 40,
  },
  {
    name: 'a client is sure past its deadline',
    rule: 'S6',
    file: DEADLINE,
    find: 'return this.#leftMs > 0;',
    replace: 'return true;',
    shows: ['two holders'],
    only: CUT_OFF,
  },
];

const OF_LOST_CONNECTIONS: readonly PlantedBug[] = [
  {
    name: 'holds without a session outlive their connection',
    rule: 'S7',
    file: LIFE,
    find: "this.loseHolds('connectionLost');\n        return false;",
    replace: 'return false;',
    shows: ['kept without its connection', 'two holders'],
    only: RESETS,
    rounds: 8,
  },
  {
    name: 'a host that vanished is not given up',
    rule: 'what frees a lock',
    file: 'transports/peer-watch.js',
    find: 'peer.lose(notAnswering());',
    replace: ';',
    shows: ['left behind'],
    only: ['host vanished'],
  },
];

const OF_RESTARTS: readonly PlantedBug[] = [
  {
    name: 'tokens begin at the clock',
    rule: 'L1',
    file: 'ledger/file-ledger.js',
    find: 'Math.max(tokens?.reserved ?? 0, clock)',
    replace: 'clock',
    shows: ['two holders', 'the token'],
    only: ['all killed and clock set back'],
  },
  {
    name: 'no session is recorded',
    rule: 'L2',
    file: SESSIONS,
    find: 'if (session.recorded === true)',
    replace: 'if (session.recorded !== undefined)',
    shows: ['lost by no fault', 'two holders'],
    only: ['server killed'],
  },
  {
    name: 'a loss is not recorded',
    rule: 'L3',
    file: 'server/local-lock-manager.js',
    find: 'onLoss: (claim, reason) => this.#recordLoss(claim, reason)',
    replace: 'onLoss: () => { }',
    shows: ['two holders'],
    only: ['server killed and loss unheard'],
    rounds: 6,
  },
  {
    name: 'a lock is granted before its loss is on record',
    rule: 'L3',
    file: 'server/local-lock-manager.js',
    find: 'void recorded.then(this.closeLock(lock.name, lock.kind));',
    replace: 'void recorded;',
    shows: ['two holders'],
    only: ['server killed and loss unwritten'],
    rounds: 6,
  },
  {
    name: 'sessions that have not returned are forgotten',
    rule: 'L4',
    file: 'ledger/listed-sessions.js',
    find: 'added: listed.map(({ session }) => session)',
    replace: 'added: []',
    shows: ['lost by no fault', 'two holders'],
    only: ['server killed twice'],
  },
  {
    name: 'two servers share a directory',
    rule: 'L5',
    file: 'ledger/directory-lock.js',
    find: 'if (error === undefined && status === 0)',
    replace: 'if (error === undefined)',
    shows: ['a server'],
    only: ['second server on the state'],
  },
  {
    name: 'locks are granted in grace',
    rule: 'grace',
    file: 'server/local-lock-manager.js',
    find: '!this.#isHeldBack && !this.#isDraining',
    replace: '!this.#isDraining',
    shows: ['two holders', 'lost by no fault'],
    only: ['server killed'],
  },
  {
    name: 'grace has no end',
    rule: 'grace',
    file: SESSIONS,
    find: 'if (this.awaitedCount === 0)',
    replace: 'if (this.awaitedCount < 0)',
    shows: ['a waiter forgotten'],
    only: ['server killed'],
  },
  {
    name: 'nothing is given back after a restart',
    rule: 'grace',
    file: 'server/local-session.js',
    find: 'holds.filter((hold) => !isRestored(hold))',
    replace: 'holds.filter(() => isRestored === undefined)',
    shows: ['two holders'],
    only: ['server killed'],
  },
];

const OF_LOCKS: readonly PlantedBug[] = [
  {
    name: 'readers pass waiters',
    rule: 'first come, first served',
    file: 'locks/lock.js',
    find: 'return !isAwaited(lock) && hasRoomFor(',
    replace: 'return hasRoomFor(',
    shows: ['out of turn'],
    only: ['delay to the client'],
    rounds: 40,
  },
  {
    name: 'readers share with a writer',
    rule: 'exclusive',
    file: 'locks/lock.js',
    find: "mode === 'shared' && holder.mode === 'shared'",
    replace: "mode === 'shared'",
    shows: ['two holders'],
    only: ANY,
  },
  {
    name: 'one permit too many',
    rule: 'permits',
    file: 'locks/lock.js',
    find: 'lock.holderCount < limit',
    replace: 'lock.holderCount <= limit',
    shows: ['two holders'],
    only: ANY,
  },
  {
    name: 'several locks are granted before all are free',
    rule: 'lockAll',
    file: 'locks/group.js',
    find: 'return false;',
    replace: 'continue;',
    shows: ['two holders'],
    only: ANY,
  },
  {
    name: 'a token is given twice',
    rule: 'tokens grow',
    file: 'ledger/token-block.js',
    find: 'this.#last += 1;',
    replace: 'this.#last += this.#last % 2;',
    shows: ['the token'],
    only: ANY,
  },
  {
    name: 'owners of one session share a lock',
    rule: 'owners',
    file: 'locks/acquisition.js',
    find: 'findClaim(lock, findOwner(session, request.tag));',
    replace: 'findClaim(lock, [...(session.tagged?.values() ?? [])].find((owner) => findClaim(lock, owner)));',
    shows: ['the token', 'two holders'],
    only: ANY,
  },
  {
    name: 'leases end too early',
    rule: 'leases',
    file: 'locks/lock-book.js',
    find: 'nowMs + leaseMs',
    replace: 'nowMs + leaseMs / 10',
    shows: ['lost by no fault', 'two holders'],
    only: ['delay to the client'],
    rounds: 12,
  },
  {
    name: 'waits have no end',
    rule: 'wait limits',
    file: 'locks/lock-table.js',
    find: "this.#admission.endRequest(due, 'timeout', nowMs);",
    replace: ';',
    shows: ['a waiter forgotten'],
    only: ANY,
  },
  {
    name: 'a release lets nobody in',
    rule: 'waiters are let in',
    file: 'locks/lock-table.js',
    find: 'this.#admission.letIn(claim.lock, nowMs);',
    replace: '',
    shows: ['a waiter forgotten'],
    only: ANY,
  },
];

export const PLANTED_BUGS: readonly PlantedBug[] = [
  ...OF_SESSIONS,
  ...OF_LOST_CONNECTIONS,
  ...OF_RESTARTS,
  ...OF_LOCKS,
];
