/** Conversations in the line protocol about its counts and switches. See `replay.ts`. */

import { statistics, type Transcript } from './replay.ts';

/** Commands that settings disable. */
const SWITCHES: readonly Transcript[] = [
  {
    shows: 'with dump off d sd dump who are disabled, and q full is q',
    server: { dump: false },
    lines: `
      A> g jobs => 1 Lock Get Success: jobs
      A> d => 0 disabled
      A> d jobs => 0 disabled
      A> sd => 0 disabled
      A> sd jobs => 0 disabled
      A> dump => 0 disabled
      A> dump shared => 0 disabled
      A> who => 0 disabled
      A> who cron => 0 disabled
      A> iam cron => 1 ok
      A> me => 1 {A} cron
      A> i jobs => 1 Lock Is Locked: jobs
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
      A> iam cron => 0 disabled
      A> iam => 0 disabled
      A> who => 0 disabled
      A> who cron => 0 disabled
      A> me => 1 {A} {A}
      A> g jobs => 1 Lock Get Success: jobs
      A> d => jobs: {A}
      A> dump => map[jobs:{A}]`,
  },
];

/** The counts: `q`. */
const STATISTICS: readonly Transcript[] = [
  {
    shows: 'q shows these keys, sorted, and counts itself',
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
    shows: 'q shows me, iam and who after their first use',
    lines: `
      A> me => 1 {A} {A}
      A> q
      ${statistics('A', { command_me: 1 })}
      A> iam cron => 1 ok
      A> q
      ${statistics('A', { command_iam: 1, command_me: 1, command_q: 2 })}
      A> who nobody
      A> q
      ${statistics('A', { command_iam: 1, command_me: 1, command_q: 3, command_who: 1 })}`,
  },
  {
    shows: 'q counts every command, successful or not, and names rather than holders',
    lines: `
      A> g jobs => 1 Lock Get Success: jobs
      A> g jobs => 1 Lock Get Success: jobs
      B> g jobs => 0 Lock Get Failure: jobs
      A> sg pool => 1 Shared Lock Get Success: pool
      B> sg pool => 2 Shared Lock Get Success: pool
      B> sg pond => 1 Shared Lock Get Success: pond
      B> i jobs => 1 Lock Is Locked: jobs
      B> si pool => 2 Shared Lock Is Locked: pool
      B> r jobs => 0 Lock Release Failure: jobs
      B> sr nothing => 0 Shared Lock Release Failure: nothing
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
      A> r jobs => 1 Lock Release Success: jobs
      B> sr pond => 1 Shared Lock Release Success: pond
      A> q
      ${statistics('A', {
        ...{ command_d: 1, command_dump: 1, command_g: 3, command_i: 1, command_r: 2, command_sd: 2, command_sg: 3 },
        ...{ command_q: 2, command_si: 1, command_sr: 2, connections: 2, invalid_commands: 1, shared_locks: 1 },
      })}`,
  },
  {
    shows: 'q full adds the listings of d and sd',
    lines: `
      A> q full
      ${statistics('A', {})}
      A> g jobs => 1 Lock Get Success: jobs
      B> iam cron => 1 ok
      B> g more jobs => 1 Lock Get Success: more jobs
      B> sg pool => 1 Shared Lock Get Success: pool
      A> sg pool => 2 Shared Lock Get Success: pool
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
