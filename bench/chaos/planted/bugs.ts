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
  'replies late, and cut off',
  'host cut off for long',
];
/** What is wrong without any fault shows with any. */
const ANY: readonly FaultKind[] = ['client stopped'];

const OF_SESSIONS: readonly PlantedBug[] = [
  {
    name: 'the connection before stays open',
    rule: 'S1',
    file: KEEPER,
    find: 'before.connection.destroy();',
    replace: '',
    only: ['reset on the client side'],
  },
  {
    name: 'a reset ends the session',
    rule: 'what frees a lock',
    file: KEEPER,
    find: "end === 'lost' &&",
    replace: 'false &&',
    only: RESETS,
  },
  {
    name: 'the end of a process counts as a reset',
    rule: 'what frees a lock',
    file: 'message/message-server.js',
    find: "options.proxied === true && !stream.isFramed ? 'lost' : 'left'",
    replace: "'lost'",
    only: ['client killed'],
    rounds: 8,
  },
  {
    name: 'a session that is over frees nothing',
    rule: 'what frees a lock',
    file: KEEPER,
    find: 'client?.locks.end();',
    replace: '',
    only: CUT_OFF,
  },
  {
    name: 'a session is over too early',
    rule: 'what frees a lock',
    file: SESSIONS,
    find: 'lastHeardMs + session.timeoutMs',
    replace: 'lastHeardMs + 50',
    only: RESETS,
  },
  {
    name: 'a resume lists no holds',
    rule: 'S3',
    file: LIFE,
    find: 'holds: this.#holds.wanted().map(',
    replace: 'holds: [].map(',
    only: RESETS,
  },
  {
    name: 'a resume lists no requests',
    rule: 'S3',
    file: LIFE,
    find: 'requests: requests.map(',
    replace: 'requests: [].map(',
    only: RESETS,
  },
  {
    name: 'a resume frees nothing that is not listed',
    rule: 'S3',
    file: 'locks/resumption.js',
    find: 'isHeld(claim) && !resumption.tokens.has(claim.token)',
    replace: 'false && !resumption.tokens.has(claim.token)',
    only: RESETS,
  },
  {
    name: 'the deadline counts from the answer',
    rule: 'S4',
    file: DEADLINE,
    find: 'this.#confirm(probe.sent)',
    replace: 'this.#confirm(thisMoment())',
    only: ['replies late, and cut off'],
    rounds: 5,
  },
  {
    name: 'a client is sure past its deadline',
    rule: 'S6',
    file: DEADLINE,
    find: 'return this.#leftMs > 0;',
    replace: 'return true;',
    only: CUT_OFF,
  },
];

const OF_RESTARTS: readonly PlantedBug[] = [
  {
    name: 'tokens begin at the clock',
    rule: 'L1',
    file: 'ledger/file-ledger.js',
    find: 'Math.max(tokens?.reserved ?? 0, clock)',
    replace: 'clock',
    only: ['server killed, clock set back'],
  },
  {
    name: 'no session is recorded',
    rule: 'L2',
    file: SESSIONS,
    find: 'if (session.recorded === true)',
    replace: 'if (session.recorded !== undefined)',
    only: ['server killed'],
  },
  {
    name: 'sessions that have not returned are forgotten',
    rule: 'L4',
    file: 'ledger/session-file.js',
    find: 'toLine({ added, ended: [] })',
    replace: 'toLine({ added: [], ended: [] })',
    only: ['server killed twice'],
  },
  {
    name: 'two servers share a directory',
    rule: 'L5',
    file: 'ledger/directory-lock.js',
    find: 'if (error === undefined && status === 0)',
    replace: 'if (error === undefined)',
    only: ['second server on the state'],
  },
  {
    name: 'locks are granted in grace',
    rule: 'grace',
    file: 'server/local-lock-manager.js',
    find: '!this.#isHeldBack && tokens.has(count)',
    replace: 'tokens.has(count)',
    only: ['server killed'],
  },
  {
    name: 'grace has no end',
    rule: 'grace',
    file: SESSIONS,
    find: 'if (this.awaitedCount === 0)',
    replace: 'if (this.awaitedCount < 0)',
    only: ['server killed'],
  },
  {
    name: 'nothing is given back after a restart',
    rule: 'grace',
    file: 'server/local-lock-manager.js',
    find: 'holds.filter((hold) => !isRestored(hold))',
    replace: 'holds.filter(() => isRestored === undefined)',
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
    only: ANY,
  },
  {
    name: 'readers share with a writer',
    rule: 'exclusive',
    file: 'locks/lock.js',
    find: "mode === 'shared' && holder.mode === 'shared'",
    replace: "mode === 'shared'",
    only: ANY,
  },
  {
    name: 'one permit too many',
    rule: 'permits',
    file: 'locks/lock.js',
    find: 'lock.holderCount < limit',
    replace: 'lock.holderCount <= limit',
    only: ANY,
  },
  {
    name: 'several locks are granted before all are free',
    rule: 'lockAll',
    file: 'locks/group.js',
    find: 'return false;',
    replace: 'continue;',
    only: ANY,
  },
  {
    name: 'a token is given twice',
    rule: 'tokens grow',
    file: 'ledger/token-block.js',
    find: 'this.#last += 1;',
    replace: 'this.#last += this.#last % 2;',
    only: ANY,
  },
  {
    name: 'owners of one session share a lock',
    rule: 'owners',
    file: 'locks/acquisition.js',
    find: 'findClaim(lock, findOwner(session, request.tag));',
    replace: 'findClaim(lock, [...(session.owners?.values() ?? [])].find((owner) => findClaim(lock, owner)));',
    only: ANY,
  },
  {
    name: 'leases end at half their time',
    rule: 'leases',
    file: 'locks/lock-book.js',
    find: 'nowMs + leaseMs',
    replace: 'nowMs + leaseMs / 4',
    only: ANY,
  },
  {
    name: 'waits have no end',
    rule: 'wait limits',
    file: 'locks/lock-table.js',
    find: "this.#settlement.endRequest(due, 'timeout', nowMs);",
    replace: ';',
    only: ANY,
  },
  {
    name: 'who waits for a lock of an ended session is forgotten',
    rule: 'a crash frees at once',
    file: 'locks/departure.js',
    find: 'this.#settlement.settle(claim.lock, nowMs);',
    replace: '',
    only: ['client killed'],
    rounds: 6,
  },
];

export const PLANTED_BUGS: readonly PlantedBug[] = [...OF_SESSIONS, ...OF_RESTARTS, ...OF_LOCKS];
