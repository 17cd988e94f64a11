/** Conversations in the line protocol about getting and releasing. See `replay.ts`. */

import { statistics, type Transcript } from './replay.ts';

/** Exclusive locks: `g r i`. */
const EXCLUSIVE_LOCKS: readonly Transcript[] = [
  {
    shows: 'an exclusive lock is granted, shown, refused to others and released',
    lines: `
      A> i jobs => 0 Lock Not Locked: jobs
      A> g jobs => 1 Lock Get Success: jobs
      A> i jobs => 1 Lock Is Locked: jobs
      B> i jobs => 1 Lock Is Locked: jobs
      B> g jobs => 0 Lock Get Failure: jobs
      B> r jobs => 0 Lock Release Failure: jobs
      A> r jobs => 1 Lock Release Success: jobs
      B> i jobs => 0 Lock Not Locked: jobs
      B> g jobs => 1 Lock Get Success: jobs
      A> g jobs => 0 Lock Get Failure: jobs`,
  },
  {
    shows: 'a holder that gets its lock again succeeds, and one release frees it',
    lines: `
      A> g jobs => 1 Lock Get Success: jobs
      A> g jobs => 1 Lock Get Success: jobs
      A> g jobs => 1 Lock Get Success: jobs
      A> r jobs => 1 Lock Release Success: jobs
      B> g jobs => 1 Lock Get Success: jobs
      A> r jobs => 0 Lock Release Failure: jobs`,
  },
];

/** Shared locks: `sg sr si`. */
const SHARED_LOCKS: readonly Transcript[] = [
  {
    shows: 'a shared lock counts its holders',
    lines: `
      A> si pool => 0 Shared Lock Not Locked: pool
      A> sg pool => 1 Shared Lock Get Success: pool
      B> sg pool => 2 Shared Lock Get Success: pool
      C> sg pool => 3 Shared Lock Get Success: pool
      D> si pool => 3 Shared Lock Is Locked: pool
      A> sr pool => 1 Shared Lock Release Success: pool
      D> si pool => 2 Shared Lock Is Locked: pool
      B> sr pool => 1 Shared Lock Release Success: pool
      C> sr pool => 1 Shared Lock Release Success: pool
      D> si pool => 0 Shared Lock Not Locked: pool`,
  },
  {
    shows: 'a shared lock that one connection gets twice counts once, and one release frees it',
    lines: `
      A> sg pool => 1 Shared Lock Get Success: pool
      B> sg pool => 2 Shared Lock Get Success: pool
      A> sg pool => 2 Shared Lock Get Success: pool
      A> sr pool => 1 Shared Lock Release Success: pool
      A> sr pool => 0 Shared Lock Release Failure: pool
      B> si pool => 1 Shared Lock Is Locked: pool`,
  },
  {
    shows: 'exclusive and shared locks of one name are independent',
    lines: `
      A> g jobs => 1 Lock Get Success: jobs
      B> sg jobs => 1 Shared Lock Get Success: jobs
      A> sg jobs => 2 Shared Lock Get Success: jobs
      B> r jobs => 0 Lock Release Failure: jobs
      A> r jobs => 1 Lock Release Success: jobs
      A> si jobs => 2 Shared Lock Is Locked: jobs
      A> i jobs => 0 Lock Not Locked: jobs`,
  },
];

/** The end of connections. */
const DISCONNECTS: readonly Transcript[] = [
  {
    shows: 'the locks of a closed connection are free, and each counts as an orphan',
    lines: `
      A> g one => 1 Lock Get Success: one
      A> g two => 1 Lock Get Success: two
      A> sg pool => 1 Shared Lock Get Success: pool
      A> sg pond => 1 Shared Lock Get Success: pond
      B> sg pool => 2 Shared Lock Get Success: pool
      B> g three => 1 Lock Get Success: three
      B> r three => 1 Lock Release Success: three
      A!
      B> i one => 0 Lock Not Locked: one
      B> g two => 1 Lock Get Success: two
      B> si pool => 1 Shared Lock Is Locked: pool
      B> q
      ${statistics('B', {
        ...{ command_g: 4, command_i: 1, command_r: 1, command_sg: 3, command_si: 1 },
        ...{ locks: 1, orphans: 2, shared_locks: 1, shared_orphans: 2 },
      })}`,
  },
  {
    shows: 'every holder of a shared lock that disconnects adds an orphan',
    lines: `
      A> sg pool => 1 Shared Lock Get Success: pool
      B> sg pool => 2 Shared Lock Get Success: pool
      C> q
      ${statistics('C', { command_sg: 2, connections: 3, shared_locks: 1 })}
      A!
      C> q
      ${statistics('C', { command_sg: 2, command_q: 2, connections: 2, shared_locks: 1, shared_orphans: 1 })}
      B!
      C> q
      ${statistics('C', { command_sg: 2, command_q: 3, shared_orphans: 2 })}`,
  },
  {
    shows: 'a last line without an end is executed and answered before the server closes its side',
    lines: `
      A> g jobs => 1 Lock Get Success: jobs
      A$ i jobs
      A< 1 Lock Is Locked: jobs
      A.
      B> i jobs => 0 Lock Not Locked: jobs
      B> q
      ${statistics('B', { command_g: 1, command_i: 2, orphans: 1 })}`,
  },
  {
    shows: 'a lock got by a last line without an end is answered, then freed',
    lines: `
      A> g one
      A> sg two
      A$ g jobs
      A< 1 Lock Get Success: one
      A< 1 Shared Lock Get Success: two
      A< 1 Lock Get Success: jobs
      A.
      B> g jobs => 1 Lock Get Success: jobs
      B> q
      ${statistics('B', { command_g: 3, command_sg: 1, locks: 1, orphans: 2, shared_orphans: 1 })}`,
  },
  {
    shows: 'a client that closes its side after all its answers is closed',
    lines: `
      A> g jobs => 1 Lock Get Success: jobs
      A$
      A.
      B> i jobs => 0 Lock Not Locked: jobs`,
  },
];

/** All of them. */
export const LINE_TRANSCRIPTS: readonly Transcript[] = [...EXCLUSIVE_LOCKS, ...SHARED_LOCKS, ...DISCONNECTS];
