/** Conversations in the dialect of lockd and elockd. See `replay.ts`. */

import { statistics, type Transcript } from './replay.ts';

const listen = { dialect: 'lockd' } as const;

/** All of them. */
export const LOCKD_TRANSCRIPTS: readonly Transcript[] = [
  {
    shows: 'an exclusive lock is granted, shown, refused to others and released',
    listen,
    lines: `
      A> i jobs => 0 Not Locked
      A> g jobs => 1 Got Lock
      A> i jobs => 1 Locked
      B> i jobs => 1 Locked
      B> g jobs => 0 Cannot Get Lock
      B> r jobs => 0 Cannot Release Lock
      A> r jobs => 1 Released Lock
      A> r jobs => 0 Cannot Release Lock
      B> g jobs => 1 Got Lock`,
  },
  {
    shows: 'a holder that gets its lock again is refused and keeps it',
    listen,
    lines: `
      A> g jobs => 1 Got Lock
      A> g jobs => 0 Cannot Get Lock
      B> g jobs => 0 Cannot Get Lock
      A> i jobs => 1 Locked
      A> r jobs => 1 Released Lock
      B> g jobs => 1 Got Lock`,
  },
  {
    shows: 'a shared lock counts its holders, each once',
    listen,
    lines: `
      A> si pool => 0 Not Locked
      A> sg pool => 1 Got Lock
      B> sg pool => 2 Got Lock
      A> sg pool => 2 Got Lock
      C> si pool => 2 Locked
      C> sr pool => 0 Cannot Release Lock
      C> g pool => 1 Got Lock
      A> sr pool => 1 Released Lock
      A> sr pool => 0 Cannot Release Lock
      B> sr pool => 1 Released Lock
      C> si pool => 0 Not Locked`,
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
      A> g jobs => 1 Got Lock
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
    shows: 'names are kept byte for byte, even the empty one',
    listen,
    lines: `
      A> g \udcff\u0000  x => 1 Got Lock
      B> g \udcff\u0000 x => 0 Cannot Get Lock
      B> g \udcff\u0000 => 1 Got Lock
      A> g => 1 Got Lock
      B> i => 1 Locked
      B> q full
      ${statistics('B', { command_g: 4, command_i: 1, connections: 2, locks: 3 })}
      B| \udcff\u0000 x: {A}
      B| \udcff\u0000: {B}
      B| : {A}`,
  },
  {
    shows: 'q shows the counts, and q full adds the listings',
    listen,
    lines: `
      A> q
      ${statistics('A', {})}
      A> g jobs => 1 Got Lock
      B> sg pool => 1 Got Lock
      A> sg pool => 2 Got Lock
      A> q full
      ${statistics('A', { command_g: 1, command_q: 2, command_sg: 2, connections: 2, locks: 1, shared_locks: 1 })}
      A| jobs: {A}
      A| pool: {B}
      A| pool: {A}`,
  },
  {
    shows: 'a name that is too long fails, and a line that is too long closes the connection',
    server: { limits: { maxNameBytes: 4, maxMessageBytes: 16 } },
    listen,
    lines: `
      A> g four => 1 Got Lock
      A> g fiver => 0 Cannot Get Lock
      A> sg fiver => 0 Cannot Get Lock
      A> g 345678901234567 => 0 Line Too Long
      A.`,
  },
];
