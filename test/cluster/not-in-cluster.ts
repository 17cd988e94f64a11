/** Leaves out the few tests whose premise a cluster changes. Required by `cluster-suite.ts`. */

import type { Context } from 'mocha';

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

export const mochaHooks = {
  beforeEach(this: Context): void {
    const why = REASONS[this.currentTest?.title ?? ''];
    if (why === undefined) return;
    console.log(`      skipped in a cluster: ${why}`);
    this.skip();
  },
};
