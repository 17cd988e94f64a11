/** Conversations in the line protocol as lockd's and elockd's clients have them. `replay.ts` tells how to read them. */

import type { Transcript } from './replay.ts';
import { statistics } from './statistics-block.ts';

const listen = { dialect: 'lockd' } as const;

/** All of them. */
export const LOCKD_TRANSCRIPTS: readonly Transcript[] = [
  {
    shows: 'an exclusive lock is got, seen, refused to others and released',
    listen,
    lines: `
      A> i jobs
      A< 0 Not Locked
      A> g jobs
      A< 1 Got Lock
      A> i jobs
      A< 1 Locked
      B> i jobs
      B< 1 Locked
      B> g jobs
      B< 0 Cannot Get Lock
      B> r jobs
      B< 0 Cannot Release Lock
      A> r jobs
      A< 1 Released Lock
      A> r jobs
      A< 0 Cannot Release Lock
      B> g jobs
      B< 1 Got Lock`,
  },
  {
    shows: 'a holder that gets its lock again is refused and keeps it',
    listen,
    lines: `
      A> g jobs
      A< 1 Got Lock
      A> g jobs
      A< 0 Cannot Get Lock
      B> g jobs
      B< 0 Cannot Get Lock
      A> i jobs
      A< 1 Locked
      A> r jobs
      A< 1 Released Lock
      B> g jobs
      B< 1 Got Lock`,
  },
  {
    shows: 'a shared lock counts its holders, each once',
    listen,
    lines: `
      A> si pool
      A< 0 Not Locked
      A> sg pool
      A< 1 Got Lock
      B> sg pool
      B< 2 Got Lock
      A> sg pool
      A< 2 Got Lock
      C> si pool
      C< 2 Locked
      C> sr pool
      C< 0 Cannot Release Lock
      C> g pool
      C< 1 Got Lock
      A> sr pool
      A< 1 Released Lock
      A> sr pool
      A< 0 Cannot Release Lock
      B> sr pool
      B< 1 Released Lock
      C> si pool
      C< 0 Not Locked`,
  },
  {
    shows: 'lines end in carriage return and newline, and many come in one packet',
    listen,
    lines: `
      A> g jobs\r
      A> sg jobs\r
      A> i jobs\r
      A> \r
      A> si jobs\r
      A> r jobs\r
      A> sr jobs\r
      A< 1 Got Lock
      A< 1 Got Lock
      A< 1 Locked
      A< 1 Locked
      A< 1 Released Lock
      A< 1 Released Lock`,
  },
  {
    shows: 'the commands that came with glockd are unknown',
    listen,
    lines: `
      A> g jobs
      A< 1 Got Lock
      A> d
      A> d jobs
      A> sd
      A> dump
      A> dump shared
      A> me
      A> iam cron
      A> who
      A> q
      ${statistics('A', { command_g: 1, invalid_commands: 8, locks: 1 })}`,
  },
  {
    shows: 'names are kept byte for byte, the one without text too',
    listen,
    lines: `
      A> g \udcff\u0000  x
      A< 1 Got Lock
      B> g \udcff\u0000 x
      B< 0 Cannot Get Lock
      B> g \udcff\u0000
      B< 1 Got Lock
      A> g
      A< 1 Got Lock
      B> i
      B< 1 Locked
      B> q full
      ${statistics('B', { command_g: 4, command_i: 1, connections: 2, locks: 3 })}
      B| \udcff\u0000 x: {A}
      B| \udcff\u0000: {B}
      B| : {A}`,
  },
  {
    shows: 'q tells the counts, and q full the tables behind them',
    listen,
    lines: `
      A> q
      ${statistics('A', {})}
      A> g jobs
      A< 1 Got Lock
      B> sg pool
      B< 1 Got Lock
      A> sg pool
      A< 2 Got Lock
      A> q full
      ${statistics('A', { command_g: 1, command_q: 2, command_sg: 2, connections: 2, locks: 1, shared_locks: 1 })}
      A| jobs: {A}
      A| pool: {B}
      A| pool: {A}`,
  },
  {
    shows: 'a name that is too long gets the failure of its command, a line that is too long is told and closes',
    server: { limits: { maxNameBytes: 4, maxMessageBytes: 16 } },
    listen,
    lines: `
      A> g four
      A< 1 Got Lock
      A> g fiver
      A< 0 Cannot Get Lock
      A> sg fiver
      A< 0 Cannot Get Lock
      A> g 345678901234567
      A< 0 Line Too Long
      A.`,
  },
];
