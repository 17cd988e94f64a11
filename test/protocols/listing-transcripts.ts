/** Conversations in the line protocol about holders and names of clients. See `replay.ts`. */

import { statistics, type Transcript } from './replay.ts';

const LONG = 'n'.repeat(50_000);

/** Holders: `d sd dump`. */
const HOLDERS: readonly Transcript[] = [
  {
    shows: 'd shows exclusive locks in the order of their grants',
    lines: `
      A> d
      A> d jobs
      A> g zebra
      A< 1 Lock Get Success: zebra
      B> g ant => 1 Lock Get Success: ant
      A> g monkey => 1 Lock Get Success: monkey
      B> d
      B< zebra: {A}
      B| ant: {B}
      B| monkey: {A}
      B> d ant => ant: {B}
      B> d nobody's
      B> d ANT
      A> r zebra => 1 Lock Release Success: zebra
      A> g zebra => 1 Lock Get Success: zebra
      B> d
      B< ant: {B}
      B| monkey: {A}
      B| zebra: {A}
      B> sd
      B> sd ant
      B> d   monkey  \r
      B< monkey: {A}`,
  },
  {
    shows: 'd and sd show the registered name of a holder instead of its address',
    lines: `
      A> iam cron on host7 => 1 ok
      A> g jobs => 1 Lock Get Success: jobs
      A> sg pool => 1 Shared Lock Get Success: pool
      B> sg pool => 2 Shared Lock Get Success: pool
      B> d => jobs: cron on host7
      B> sd
      B< pool: cron on host7
      B| pool: {B}
      B> dump => map[jobs:{A}]
      B> dump shared => map[pool:[{A} {B}]]
      A> iam => 1 ok
      B> d jobs => jobs: {A}`,
  },
  {
    shows: 'sd shows a line for each holder in the order of arrival',
    lines: `
      B> sg pool => 1 Shared Lock Get Success: pool
      A> sg pond => 1 Shared Lock Get Success: pond
      A> sg pool => 2 Shared Lock Get Success: pool
      C> sg pool => 3 Shared Lock Get Success: pool
      C> sd pool
      C< pool: {B}
      C| pool: {A}
      C| pool: {C}
      C> sd
      C< pool: {B}
      C| pond: {A}
      C| pool: {A}
      C| pool: {C}
      B> sg pool => 3 Shared Lock Get Success: pool
      C> sd pool
      C< pool: {B}
      C| pool: {A}
      C| pool: {C}
      C> d
      C> d pool
      C> sd nothing`,
  },
  {
    shows: 'sd, sd of one name and dump shared show all holders, even more than a page',
    server: { limits: { maxPageEntries: 2 } },
    lines: `
      A> sg pool => 1 Shared Lock Get Success: pool
      B> sg pool => 2 Shared Lock Get Success: pool
      C> sg pool => 3 Shared Lock Get Success: pool
      A> sd
      A< pool: {A}
      A| pool: {B}
      A| pool: {C}
      A> sd pool
      A< pool: {A}
      A| pool: {B}
      A| pool: {C}
      A> dump shared => map[pool:[{A} {B} {C}]]`,
  },
  {
    shows: 'listings of more than a page are complete and in order',
    server: { limits: { maxPageEntries: 2 } },
    lines: `
      A> g five
      A> g four
      A> g three
      A> g two
      A> g one
      A< 1 Lock Get Success: five
      A< 1 Lock Get Success: four
      A< 1 Lock Get Success: three
      A< 1 Lock Get Success: two
      A< 1 Lock Get Success: one
      B> sg five
      B> sg four
      B> sg three
      B< 1 Shared Lock Get Success: five
      B< 1 Shared Lock Get Success: four
      B< 1 Shared Lock Get Success: three
      A> d
      A> sd
      A> dump
      A> dump shared
      A< five: {A}
      A| four: {A}
      A| three: {A}
      A| two: {A}
      A| one: {A}
      A< five: {B}
      A| four: {B}
      A| three: {B}
      A< map[five:{A} four:{A} one:{A} three:{A} two:{A}]
      A< map[five:[{B}] four:[{B}] three:[{B}]]`,
  },
  {
    shows: 'a listing is one reply, even if it is very long',
    lines: `
      A> g ${LONG}1 => 1 Lock Get Success: ${LONG}1
      A> g ${LONG}2 => 1 Lock Get Success: ${LONG}2
      A> sg ${LONG}3 => 1 Shared Lock Get Success: ${LONG}3
      A> d
      A< ${LONG}1: {A}
      A| ${LONG}2: {A}
      A> dump => map[${LONG}1:{A} ${LONG}2:{A}]
      A> q full
      ${statistics('A', { command_d: 1, command_dump: 1, command_g: 2, command_sg: 1, locks: 2, shared_locks: 1 })}
      A| ${LONG}1: {A}
      A| ${LONG}2: {A}
      A| ${LONG}3: {A}`,
  },
  {
    shows: 'dump is one line in order of the bytes of the names, even if it is empty',
    lines: `
      A> dump => map[]
      A> dump shared => map[]
      A> dump anything => map[]
      B> g b => 1 Lock Get Success: b
      A> g a c => 1 Lock Get Success: a c
      A> g B => 1 Lock Get Success: B
      A> g \u00e9 => 1 Lock Get Success: \u00e9
      B> g \uffff => 1 Lock Get Success: \uffff
      A> g \ud83d\ude00 => 1 Lock Get Success: \ud83d\ude00
      A> dump => map[B:{A} a c:{A} b:{B} \u00e9:{A} \uffff:{B} \ud83d\ude00:{A}]
      A> dump b => map[B:{A} a c:{A} b:{B} \u00e9:{A} \uffff:{B} \ud83d\ude00:{A}]
      A> dump Shared => map[B:{A} a c:{A} b:{B} \u00e9:{A} \uffff:{B} \ud83d\ude00:{A}]
      A> dump shared => map[]
      A> sg b => 1 Shared Lock Get Success: b
      B> sg b => 2 Shared Lock Get Success: b
      B> sg a => 1 Shared Lock Get Success: a
      A> dump  shared\x20 => map[a:[{B}] b:[{A} {B}]]`,
  },
];

/** Names of clients: `me iam who`. */
const NAMES: readonly Transcript[] = [
  {
    shows: 'me shows the address and the registered name',
    lines: `
      A> me => 1 {A} {A}
      A> iam cron => 1 ok
      A> me => 1 {A} cron
      A> me too => 1 {A} cron
      A> iam  two \t words\x20 => 1 ok
      A> me => 1 {A} two words
      A> iam \udcff\u0000 => 1 ok
      A> me => 1 {A} \udcff\u0000
      A> iam => 1 ok
      A> me => 1 {A} {A}`,
  },
  {
    shows: 'who shows the clients with a name, in order of registration',
    lines: `
      A> who
      A> who cron
      B> iam cron => 1 ok
      A> iam web => 1 ok
      C> iam cron => 1 ok
      D> who
      D< {B}: cron
      D| {A}: web
      D| {C}: cron
      D> who cron
      D< {B}: cron
      D| {C}: cron
      D> who nobody
      D> who Cron
      A> iam => 1 ok
      C!
      D> who => {B}: cron`,
  },
];

/** All of them. */
export const LISTING_TRANSCRIPTS: readonly Transcript[] = [...HOLDERS, ...NAMES];
