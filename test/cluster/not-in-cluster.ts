/** Leaves out the few tests whose premise a cluster changes. Required by `cluster-suite.ts`. */

import type { Context } from 'mocha';

const MODE = process.env.HOLDFAST_TEST_CLUSTER;

/** Titles of tests, and why each does not hold. */
const REASONS: Readonly<Record<string, string>> = {
  'survives an orderly stop of the server, and keeps its place among the waits of its client':
    'the port of a server that was closed by the test belongs to its node',
  'repeats requests that were made between the end of the session and the end of the connection':
    'the port of a server that was closed by the test belongs to its node',
  'are sent in the order in which they were made, before and while the client connects':
    'the server of the test keeps no list of what it was sent',
  'has a class and a code for each reason': 'a server with a ledger keeps the waits when it stops',
  'is refused by a server that is about to stop, when its wait is over':
    'a server with a ledger keeps the waits when it stops',
  'ends the call after waitMs when every answer comes after its end': 'the first grant waits until it is on record',
  'a grant that crosses the abort of its call is released, at any moment of the abort':
    'the first grant waits until it is on record',
  'ends requests made in the same turn, and their callbacks still run': 'the first grant waits until it is on record',
  'in the same turn as the grant also ends a request whose callback throws':
    'the first grant waits until it is on record',
  'is over at once for a caller that asks': 'a leader whose wall clock jumps gives up its lease',
  'describes the server and its limits': 'a leader says that it is one',
  'answers at once where it is the only server': 'it is not',
};

/** The same for tests whose clients are forwarded. */
const REASONS_AT_STANDBY: Readonly<Record<string, string>> = {
  'lets a waiter in by a release that arrived in time': 'the release has not been forwarded yet',
  'renews a lease by a request that arrived in time': 'the request has not been forwarded yet',
  'serves unlock, and closes all connections when the last lock is released':
    'a connection that has sent nothing is not forwarded',
  'closes when the last holder goes away': 'a connection that has sent nothing is not forwarded',
  'closes when the last lease is over': 'a connection that has sent nothing is not forwarded',
  'resumes sessions that have given up thousands of locks':
    'what two connections send may be forwarded in another order',
  'works for everybody where forceUnlock is switched on': 'a connection that has sent nothing is not forwarded',
  'is told how a session ended before what it had ends':
    'a leader cannot tell the end of a forwarded client from that of the server that stands by',
  'tells of waits, grants, releases, losses and refusals, with their reasons':
    'a leader cannot tell the end of a forwarded client from that of the server that stands by',
  'hands on its lock and is no longer counted, when 300 connections are reset at once':
    'each connection has two more sockets in the process',
};

export const mochaHooks = {
  beforeEach(this: Context): void {
    const title = this.currentTest?.title ?? '';
    const why = REASONS[title] ?? (MODE === 'standby' ? REASONS_AT_STANDBY[title] : undefined);
    if (why === undefined) return;
    console.log(`      skipped in a cluster: ${why}`);
    this.skip();
  },
};
