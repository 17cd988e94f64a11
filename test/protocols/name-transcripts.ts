/** Conversations about lines and names of the line protocol. See `replay.ts`. */

import { statistics, type Transcript } from './replay.ts';

const NAME_OF_60_000_BYTES = 'n'.repeat(60_000);

/** All of them. */
export const NAME_TRANSCRIPTS: readonly Transcript[] = [
  {
    shows: 'many commands in one packet are all executed and answered in order',
    lines: `
      A> g one
      A> sg one
      A> nonsense
      A> i one
      A>\x20
      A> q
      A> r one
      A> d
      A> i one
      A> sr one
      A> me
      A< 1 Lock Get Success: one
      A< 1 Shared Lock Get Success: one
      A< 1 Lock Is Locked: one
      ${statistics('A', { command_g: 1, command_sg: 1, command_i: 1, invalid_commands: 2, locks: 1, shared_locks: 1 })}
      A< 1 Lock Release Success: one
      A< 0 Lock Not Locked: one
      A< 1 Shared Lock Release Success: one
      A< 1 {A} {A}`,
  },
  {
    shows: 'lines may end in carriage return and newline',
    lines: `
      A> g jobs\r => 1 Lock Get Success: jobs
      A> i\r => 0 Lock Not Locked:\x20
      A> d\r => jobs: {A}
      A> me\r => 1 {A} {A}
      A> q full extra\r
      ${statistics('A', { command_g: 1, command_i: 1, command_d: 1, command_me: 1, locks: 1 })}`,
  },
  {
    shows: 'unknown, empty and blank lines are not answered and are counted',
    lines: `
      A> x jobs
      A> G jobs
      A> Q
      A> gg jobs
      A> get jobs
      A>\x20
      A>   \t
      A> \r
      A> g\tjobs
      A> g\u00a0jobs
      A> dump\tshared
      A> constructor
      A> __proto__ jobs
      A> 1 Lock Get Success: jobs
      A> q
      ${statistics('A', { invalid_commands: 14 })}`,
  },
  {
    shows: 'white space around the command and the name is dropped, and within the name becomes one space',
    lines: `
      A>  g  first => 1 Lock Get Success: first
      A> \t\v\f g \t second\u00a0\u2003\u3000\x20 => 1 Lock Get Success: second
      A> g a\t\tb \u2028 c\u0085d\u00a0\u1680e\u205f\u202ff\u2029\v\f\rg => 1 Lock Get Success: a b c d e f g
      A> i  a   b  c  d  e  f  g => 1 Lock Is Locked: a b c d e f g
      A> i abcdefg => 0 Lock Not Locked: abcdefg`,
  },
  {
    shows: 'names keep characters that are no white space in Unicode',
    lines: `
      A> g \u200bzero\u2060width\ufeff => 1 Lock Get Success: \u200bzero\u2060width\ufeff
      A> i zerowidth => 0 Lock Not Locked: zerowidth
      A> g \u180e\u001c\u001f => 1 Lock Get Success: \u180e\u001c\u001f`,
  },
  {
    shows: 'names are kept byte for byte',
    lines: `
      A> g null\u0000inside\u0000 => 1 Lock Get Success: null\u0000inside\u0000
      A> i nullinside => 0 Lock Not Locked: nullinside
      A> g \udcff\udcfe\udc80 => 1 Lock Get Success: \udcff\udcfe\udc80
      B> g \udcff\udcfe\udc80 => 0 Lock Get Failure: \udcff\udcfe\udc80
      B> i \udcff\udcfe => 0 Lock Not Locked: \udcff\udcfe
      A> sg \udcc3(\udc85\udca0 => 1 Shared Lock Get Success: \udcc3(\udc85\udca0
      A> g caf\u00e9 => 1 Lock Get Success: caf\u00e9
      B> g cafe\u0301 => 1 Lock Get Success: cafe\u0301
      A> g \u65e5\u672c\ud83d\ude00\u001b[31m => 1 Lock Get Success: \u65e5\u672c\ud83d\ude00\u001b[31m
      B> d
      B< null\u0000inside\u0000: {A}
      B| \udcff\udcfe\udc80: {A}
      B| caf\u00e9: {A}
      B| cafe\u0301: {B}
      B| \u65e5\u672c\ud83d\ude00\u001b[31m: {A}
      B> sd \udcc3(\udc85\udca0 => \udcc3(\udc85\udca0: {A}
      A> r \udcff\udcfe\udc80 => 1 Lock Release Success: \udcff\udcfe\udc80
      B> dump => map[cafe\u0301:{B} caf\u00e9:{A} null\u0000inside\u0000:{A} \u65e5\u672c\ud83d\ude00\u001b[31m:{A}]`,
  },
  {
    shows: 'names are case sensitive and may look like commands or objects',
    lines: `
      A> g Jobs => 1 Lock Get Success: Jobs
      A> i jobs => 0 Lock Not Locked: jobs
      A> g g g => 1 Lock Get Success: g g
      A> g {"command":"lock"} => 1 Lock Get Success: {"command":"lock"}
      A> g __proto__ => 1 Lock Get Success: __proto__
      A> i constructor => 0 Lock Not Locked: constructor
      A> i __proto__ => 1 Lock Is Locked: __proto__`,
  },
  {
    shows: 'the empty name is a lock like any other',
    lines: `
      A> g => 1 Lock Get Success:\x20
      B> g\x20 => 0 Lock Get Failure:\x20
      B> i   \t => 1 Lock Is Locked:\x20
      B> d => : {A}
      B> dump => map[:{A}]
      A> sg => 1 Shared Lock Get Success:\x20
      B> sg => 2 Shared Lock Get Success:\x20
      B> si => 2 Shared Lock Is Locked:\x20
      B> sr => 1 Shared Lock Release Success:\x20
      B> dump shared => map[:[{A}]]
      B> r => 0 Lock Release Failure:\x20
      A> r => 1 Lock Release Success:\x20
      B> i => 0 Lock Not Locked:\x20`,
  },
  {
    shows: 'names of 60,000 bytes are served, and longer ones fail',
    lines: `
      A> g ${NAME_OF_60_000_BYTES} => 1 Lock Get Success: ${NAME_OF_60_000_BYTES}
      A> i ${NAME_OF_60_000_BYTES} => 1 Lock Is Locked: ${NAME_OF_60_000_BYTES}
      A> g ${NAME_OF_60_000_BYTES}n => 0 Lock Get Failure: ${NAME_OF_60_000_BYTES}n
      A> sg ${NAME_OF_60_000_BYTES}n => 0 Shared Lock Get Failure: ${NAME_OF_60_000_BYTES}n
      A> i ${NAME_OF_60_000_BYTES}n => 0 Lock Not Locked: ${NAME_OF_60_000_BYTES}n
      A> r ${NAME_OF_60_000_BYTES}n => 0 Lock Release Failure: ${NAME_OF_60_000_BYTES}n`,
  },
  {
    shows: 'a line of the longest length is served, and a longer one closes the connection',
    server: { limits: { maxMessageBytes: 16 } },
    lines: `
      A> g 34567890123456 => 1 Lock Get Success: 34567890123456
      B> i 345678901234567 => 0 Line Too Long
      B.
      A> i 34567890123456 => 1 Lock Is Locked: 34567890123456`,
  },
];
