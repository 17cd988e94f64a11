/** Conversations in which line clients and JSON clients share their locks. See `replay.ts`. */

import { statistics, type Transcript } from './replay.ts';

/** The clients J, K and L speak JSON. */
export const MIXED_TRANSCRIPTS: readonly Transcript[] = [
  {
    shows: 'an exclusive lock is the same in both protocols',
    lines: `
      A> g jobs => 1 Lock Get Success: jobs
      J> {"command":"lock","parameters":{"lockName":"jobs","timeLimit":0},"id":1} => {"id":1,"result":{"status":"unavailable"}}
      J> {"command":"lock","parameters":{"lockName":"jobs"},"id":2}
      J> {"command":"ping","id":3} => {"id":3,"result":{"status":"ok"}}
      A> r jobs => 1 Lock Release Success: jobs
      J< {"id":2,"result":{"status":"ok","token":2,"count":1}}
      A> g jobs => 0 Lock Get Failure: jobs
      A> i jobs => 1 Lock Is Locked: jobs
      A> r jobs => 0 Lock Release Failure: jobs
      A> d => jobs: {J}
      J> {"command":"unlock","parameters":{"lockName":"jobs"},"id":4} => {"id":4,"result":{"status":"ok","count":0}}
      A> g jobs => 1 Lock Get Success: jobs`,
  },
  {
    shows: 'a shared lock is the permit of that name',
    lines: `
      A> sg jobs => 1 Shared Lock Get Success: jobs
      J> {"command":"lock","parameters":{"lockName":"jobs","mode":"permit","limit":2},"id":1} => {"id":1,"result":{"status":"ok","token":2,"count":2}}
      A> si jobs => 2 Shared Lock Is Locked: jobs
      K> {"command":"lock","parameters":{"lockName":"jobs","mode":"permit","limit":2},"id":1}
      K> {"command":"ping","id":2} => {"id":2,"result":{"status":"ok"}}
      A> si jobs => 2 Shared Lock Is Locked: jobs
      A> i jobs => 0 Lock Not Locked: jobs
      A> sd
      A< jobs: {A}
      A| jobs: {J}
      A> sr jobs => 1 Shared Lock Release Success: jobs
      K< {"id":1,"result":{"status":"ok","token":3,"count":2}}
      A> sg jobs => 3 Shared Lock Get Success: jobs
      A> dump shared => map[jobs:[{J} {K} {A}]]
      J> {"command":"lock","parameters":{"lockName":"jobs"},"id":2} => {"id":2,"result":{"status":"ok","token":5,"count":1}}`,
  },
  {
    shows: 'a lock that JSON clients share is locked: d has a line for each holder, and dump shows the first',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"jobs","mode":"shared"},"id":1} => {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"jobs","mode":"shared"},"id":1} => {"id":1,"result":{"status":"ok","token":2,"count":2}}
      A> i jobs => 1 Lock Is Locked: jobs
      A> g jobs => 0 Lock Get Failure: jobs
      A> r jobs => 0 Lock Release Failure: jobs
      A> si jobs => 0 Shared Lock Not Locked: jobs
      A> d
      A< jobs: {J}
      A| jobs: {K}
      A> d jobs
      A< jobs: {J}
      A| jobs: {K}
      A> dump => map[jobs:{J}]
      A> sd
      A> q
      ${statistics('A', {
        ...{ command_d: 2, command_dump: 1, command_g: 1, command_i: 1, command_r: 1, command_sd: 1, command_si: 1 },
        ...{ connections: 3, locks: 1 },
      })}
      J!
      A> i jobs => 1 Lock Is Locked: jobs
      K!
      A> g jobs => 1 Lock Get Success: jobs
      A> q
      ${statistics('A', {
        ...{ command_d: 2, command_dump: 1, command_g: 2, command_i: 2, command_r: 1, command_sd: 1, command_si: 1 },
        ...{ command_q: 2, locks: 1, orphans: 2 },
      })}`,
  },
  {
    shows: 'q counts neither locks with only waiters nor JSON commands',
    lines: `
      A> g jobs => 1 Lock Get Success: jobs
      J> {"command":"lock","parameters":{"lockName":"jobs"},"id":1}
      J> {"command":"nonsense","id":2}
      J> {"command":"ping","id":3}
      J< {"id":2,"result":{"status":"unknownCommand","message":"command is \\"nonsense\\""}}
      J< {"id":3,"result":{"status":"ok"}}
      A> d => jobs: {A}
      A> dump => map[jobs:{A}]
      A> q
      ${statistics('A', { command_d: 1, command_dump: 1, command_g: 1, connections: 2, locks: 1 })}
      J!
      A> q
      ${statistics('A', { command_d: 1, command_dump: 1, command_g: 1, command_q: 2, locks: 1 })}`,
  },
  {
    shows: 'd has a line for each owner within one JSON connection',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"jobs","mode":"shared","owner":"one"},"id":1}
      J> {"command":"lock","parameters":{"lockName":"jobs","mode":"shared","owner":"two"},"id":2}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      J< {"id":2,"result":{"status":"ok","token":2,"count":2}}
      A> d
      A< jobs: {J}
      A| jobs: {J}`,
  },
  {
    shows: 'listings write line breaks in names of messages as spaces',
    lines: `
      J> {"command":"identify","parameters":{"name":"two\\nlines\\r\\nof name"},"id":1} => {"id":1,"result":{"status":"ok"}}
      J> {"command":"lock","parameters":{"lockName":"a\\nb: c\\r\\nd"},"id":2} => {"id":2,"result":{"status":"ok","token":1,"count":1}}
      J> {"command":"lock","parameters":{"lockName":"\\n","mode":"permit"},"id":3} => {"id":3,"result":{"status":"ok","token":2,"count":1}}
      A> d => a b: c  d: two lines  of name
      A> sd => \x20: two lines  of name
      A> dump => map[a b: c  d:{J}]
      A> dump shared => map[ :[{J}]]
      A> who => {J}: two lines  of name
      A> q full
      ${statistics('A', {
        ...{ command_d: 1, command_dump: 2, command_sd: 1, command_who: 1, connections: 2, locks: 1, shared_locks: 1 },
      })}
      A| a b: c  d: two lines  of name
      A| \x20: two lines  of name
      A> i a b: c d => 0 Lock Not Locked: a b: c d`,
  },
  {
    shows: 'both protocols have the same names',
    lines: `
      A> g \udcff\u0000\u00e9 => 1 Lock Get Success: \udcff\u0000\u00e9
      J> {"command":"lock","parameters":{"lockName":"\\udcff\\u0000\\u00e9","timeLimit":0},"id":1} => {"id":1,"result":{"status":"unavailable"}}
      J> {"command":"lock","parameters":{"lockName":""},"id":2} => {"id":2,"result":{"status":"ok","token":2,"count":1}}
      A> g => 0 Lock Get Failure:\x20
      J> {"command":"lock","parameters":{"lockName":" padded "},"id":3} => {"id":3,"result":{"status":"ok","token":3,"count":1}}
      A> i  padded\x20 => 0 Lock Not Locked: padded
      J> {"command":"lock","parameters":{"lockName":"\\ud83d"},"id":4} => {"id":4,"result":{"status":"ok","token":4,"count":1}}
      A> d
      A< \udcff\u0000\u00e9: {A}
      A| : {J}
      A|  padded : {J}
      A| \udced\udca0\udcbd: {J}`,
  },
  {
    shows: 'both protocols have the same registry',
    lines: `
      J> {"command":"hello","parameters":{"protocol":1,"name":"worker"}}
      J> {"command":"ping","id":1} => {"id":1,"result":{"status":"ok"}}
      A> iam cron => 1 ok
      A> who
      A< {J}: worker
      A| {A}: cron
      J> {"command":"who","id":2} => {"id":2,"result":{"status":"ok","clients":[{"address":"{J}","name":"worker"},{"address":"{A}","name":"cron"}]}}`,
  },
];
