/** Conversations in the line protocol about its counts and its switches. `replay.ts` tells how to read them. */

import type { Transcript } from './replay.ts';
import { statistics } from './statistics-block.ts';

/** What is disabled. */
const SWITCHES: readonly Transcript[] = [
  {
    shows: 'with dump off d sd dump who are disabled, and q full is q',
    server: { dump: false },
    lines: `
      A> g jobs
      A< 1 Lock Get Success: jobs
      A> d
      A< 0 disabled
      A> d jobs
      A< 0 disabled
      A> sd
      A< 0 disabled
      A> sd jobs
      A< 0 disabled
      A> dump
      A< 0 disabled
      A> dump shared
      A< 0 disabled
      A> who
      A< 0 disabled
      A> who cron
      A< 0 disabled
      A> iam cron
      A< 1 ok
      A> me
      A< 1 {A} cron
      A> i jobs
      A< 1 Lock Is Locked: jobs
      A> q full
      ${statistics('A', {
        ...{ command_d: 2, command_dump: 2, command_g: 1, command_i: 1, command_iam: 1, command_me: 1 },
        ...{ command_sd: 2, command_who: 2, locks: 1 },
      })}`,
  },
  {
    shows: 'with registry off iam and who are disabled, and me answers',
    server: { registry: false },
    lines: `
      A> iam cron
      A< 0 disabled
      A> iam
      A< 0 disabled
      A> who
      A< 0 disabled
      A> who cron
      A< 0 disabled
      A> me
      A< 1 {A} {A}
      A> g jobs
      A< 1 Lock Get Success: jobs
      A> d
      A< jobs: {A}
      A> dump
      A< map[jobs:{A}]`,
  },
];

/** The counts: `q`. */
const STATISTICS: readonly Transcript[] = [
  {
    shows: 'q tells these keys, sorted, and counts itself',
    lines: `
      A> q
      A< command_d: 0
      A| command_dump: 0
      A| command_g: 0
      A| command_i: 0
      A| command_q: 1
      A| command_r: 0
      A| command_sd: 0
      A| command_sg: 0
      A| command_si: 0
      A| command_sr: 0
      A| connections: 1
      A| invalid_commands: 0
      A| locks: 0
      A| orphans: 0
      A| shared_locks: 0
      A| shared_orphans: 0`,
  },
  {
    shows: 'q tells of me, iam and who from their first use on, of all keys in order',
    lines: `
      A> me
      A< 1 {A} {A}
      A> q
      ${statistics('A', { command_me: 1 })}
      A> iam cron
      A< 1 ok
      A> q
      ${statistics('A', { command_iam: 1, command_me: 1, command_q: 2 })}
      A> who nobody
      A> q
      ${statistics('A', { command_iam: 1, command_me: 1, command_q: 3, command_who: 1 })}`,
  },
  {
    shows: 'q counts every command, successful or not, names and not holders',
    lines: `
      A> g jobs
      A< 1 Lock Get Success: jobs
      A> g jobs
      A< 1 Lock Get Success: jobs
      B> g jobs
      B< 0 Lock Get Failure: jobs
      A> sg pool
      A< 1 Shared Lock Get Success: pool
      B> sg pool
      B< 2 Shared Lock Get Success: pool
      B> sg pond
      B< 1 Shared Lock Get Success: pond
      B> i jobs
      B< 1 Lock Is Locked: jobs
      B> si pool
      B< 2 Shared Lock Is Locked: pool
      B> r jobs
      B< 0 Lock Release Failure: jobs
      B> sr nothing
      B< 0 Shared Lock Release Failure: nothing
      B> d nothing
      B> sd nothing
      B> sd nothing
      B> dump nothing
      B< map[jobs:{A}]
      B> bad
      B> q nothing
      ${statistics('B', {
        ...{ command_d: 1, command_dump: 1, command_g: 3, command_i: 1, command_r: 1, command_sd: 2, command_sg: 3 },
        ...{ command_si: 1, command_sr: 1, connections: 2, invalid_commands: 1, locks: 1, shared_locks: 2 },
      })}
      A> r jobs
      A< 1 Lock Release Success: jobs
      B> sr pond
      B< 1 Shared Lock Release Success: pond
      A> q
      ${statistics('A', {
        ...{ command_d: 1, command_dump: 1, command_g: 3, command_i: 1, command_r: 2, command_sd: 2, command_sg: 3 },
        ...{ command_q: 2, command_si: 1, command_sr: 2, connections: 2, invalid_commands: 1, shared_locks: 1 },
      })}`,
  },
  {
    shows: 'q full tells the same, then the tables of d and sd',
    lines: `
      A> q full
      ${statistics('A', {})}
      A> g jobs
      A< 1 Lock Get Success: jobs
      B> iam cron
      B< 1 ok
      B> g more jobs
      B< 1 Lock Get Success: more jobs
      B> sg pool
      B< 1 Shared Lock Get Success: pool
      A> sg pool
      A< 2 Shared Lock Get Success: pool
      A> q full
      ${statistics('A', {
        ...{ command_g: 2, command_iam: 1, command_q: 2, command_sg: 2, connections: 2, locks: 2, shared_locks: 1 },
      })}
      A| jobs: {A}
      A| more jobs: cron
      A| pool: cron
      A| pool: {A}`,
  },
];

/** All of them. */
export const STATISTICS_TRANSCRIPTS: readonly Transcript[] = [...SWITCHES, ...STATISTICS];
