/** Conversations in the message protocol about locks that are taken away. See `replay.ts`. */

import type { Transcript } from './replay.ts';

/** The clients J, K and L speak JSON. */
export const TAKEN_TRANSCRIPTS: readonly Transcript[] = [
  {
    shows: 'steal takes a stealable lock from all its holders, ahead of the waiters',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","mode":"shared","stealable":true,"owner":"x"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"shared","stealable":true},"id":1}
      K< {"id":1,"result":{"status":"ok","token":2,"count":2}}
      K> {"command":"inspect","parameters":{"lockName":"a","max":1},"id":2}
      K< {"id":2,"result":{"status":"ok","lockName":"a","holderCount":2,"waiterCount":0,"holders":[{"owner":"x","name":"","address":"{J}","mode":"shared","token":1,"heldMs":0,"stealable":true}],"waiters":[]}}
      K> {"command":"lock","parameters":{"lockName":"a","owner":"y"},"id":3}
      K> {"command":"ping","id":4} => {"id":4,"result":{"status":"ok"}}
      L> {"command":"lock","parameters":{"lockName":"a","steal":true},"id":1} => {"id":1,"result":{"status":"ok","token":3,"count":1}}
      J< {"event":"lost","lockName":"a","mode":"shared","owner":"x","token":1,"reason":"stolen"}
      K< {"event":"lost","lockName":"a","mode":"shared","owner":"","token":2,"reason":"stolen"}
      J> {"command":"unlock","parameters":{"token":1},"id":2} => {"id":2,"result":{"status":"notHeld"}}
      L> {"command":"lock","parameters":{"lockName":"a","steal":true},"id":2}
      L< {"id":2,"result":{"status":"ok","token":3,"count":1,"alreadyHeld":true}}
      L> {"command":"unlock","parameters":{"lockName":"a"},"id":3} => {"id":3,"result":{"status":"ok","count":0}}
      K< {"id":3,"result":{"status":"ok","token":4,"count":1}}`,
  },
  {
    shows: 'steal is denied unless every holder said stealable, and nobody loses a lock',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","mode":"shared","stealable":true},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"shared","stealable":false},"id":1}
      K< {"id":1,"result":{"status":"ok","token":2,"count":2}}
      L> {"command":"lock","parameters":{"lockName":"a","steal":true},"id":1} => {"id":1,"result":{"status":"denied"}}
      K> {"command":"unlock","parameters":{"lockName":"a"},"id":2} => {"id":2,"result":{"status":"ok","count":1}}
      L> {"command":"lock","parameters":{"lockName":"a","steal":true,"timeLimit":0},"id":2} => {"id":2,"result":{"status":"ok","token":3,"count":1}}
      J< {"event":"lost","lockName":"a","mode":"shared","owner":"","token":1,"reason":"stolen"}`,
  },
  {
    shows: 'with forceUnlock on, steal takes any lock',
    server: { forceUnlock: true },
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a"},"id":1} => {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"a","steal":true},"id":1} => {"id":1,"result":{"status":"ok","token":2,"count":1}}
      J< {"event":"lost","lockName":"a","mode":"exclusive","owner":"","token":1,"reason":"stolen"}`,
  },
  {
    shows: 'steal takes a free lock ahead of the waiters',
    lines: `
      A> g b => 1 Lock Get Success: b
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}]},"id":1}
      J> {"command":"ping","id":2} => {"id":2,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"a","steal":true},"id":1} => {"id":1,"result":{"status":"ok","token":2,"count":1}}
      A> r b => 1 Lock Release Success: b
      K> {"command":"unlock","parameters":{"lockName":"a"},"id":2} => {"id":2,"result":{"status":"ok","count":0}}
      J< {"id":1,"result":{"status":"ok","tokens":[3,4],"counts":[1,1]}}`,
  },
  {
    shows: 'steal is invalid in other modes than exclusive, and from an owner that waits',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","stealable":true},"id":1} => {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"shared","steal":true},"id":1}
      K< {"id":1,"result":{"status":"invalid","message":"parameters.steal is true; expected none, since mode is \\"shared\\""}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"permit","steal":true},"id":2}
      K< {"id":2,"result":{"status":"invalid","message":"parameters.steal is true; expected none, since mode is \\"permit\\""}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"shared","steal":false,"timeLimit":0},"id":3}
      K< {"id":3,"result":{"status":"unavailable"}}
      A> g b => 1 Lock Get Success: b
      K> {"command":"lock","parameters":{"lockName":"b","owner":"k"},"id":4}
      K> {"command":"lock","parameters":{"lockName":"a","steal":true,"owner":"k"},"id":5}
      K< {"id":5,"result":{"status":"invalid","message":"the owner waits for another lock and cannot steal"}}`,
  },
  {
    shows: 'forceUnlock frees the reader/writer lock in any mode, and waiters move up',
    server: { forceUnlock: true },
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","mode":"shared"},"id":1} => {"id":1,"result":{"status":"ok","token":1,"count":1}}
      J> {"command":"lock","parameters":{"lockName":"a","mode":"permit"},"id":2} => {"id":2,"result":{"status":"ok","token":2,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"shared","owner":"k"},"id":1} => {"id":1,"result":{"status":"ok","token":3,"count":2}}
      K> {"command":"lock","parameters":{"lockName":"a"},"id":2}
      K> {"command":"ping","id":3} => {"id":3,"result":{"status":"ok"}}
      L> {"command":"forceUnlock","parameters":{"lockName":"a","mode":"exclusive"},"id":1} => {"id":1,"result":{"status":"ok","released":2}}
      J< {"event":"lost","lockName":"a","mode":"shared","owner":"","token":1,"reason":"forced"}
      K< {"event":"lost","lockName":"a","mode":"shared","owner":"k","token":3,"reason":"forced"}
      K< {"id":2,"result":{"status":"ok","token":4,"count":1}}
      L> {"command":"forceUnlock","parameters":{"lockName":"a","mode":"permit"},"id":2} => {"id":2,"result":{"status":"ok","released":1}}
      J< {"event":"lost","lockName":"a","mode":"permit","owner":"","token":2,"reason":"forced"}
      L> {"command":"forceUnlock","parameters":{"lockName":"a","mode":"permit"},"id":3} => {"id":3,"result":{"status":"ok","released":0}}
      L> {"command":"forceUnlock","parameters":{"lockName":"none"},"id":4} => {"id":4,"result":{"status":"ok","released":0}}`,
  },
  {
    shows: 'forceUnlock is denied unless the setting allows it',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a"},"id":1} => {"id":1,"result":{"status":"ok","token":1,"count":1}}
      J> {"command":"forceUnlock","parameters":{"lockName":"a"},"id":2} => {"id":2,"result":{"status":"denied"}}
      J> {"command":"unlock","parameters":{"lockName":"a"},"id":3} => {"id":3,"result":{"status":"ok","count":0}}`,
  },
  {
    shows: 'a line client gets no event when its lock is taken, and r fails afterwards',
    server: { forceUnlock: true },
    lines: `
      A> g a => 1 Lock Get Success: a
      A> sg b => 1 Shared Lock Get Success: b
      A> g c => 1 Lock Get Success: c
      J> {"command":"forceUnlock","parameters":{"lockName":"a"},"id":1} => {"id":1,"result":{"status":"ok","released":1}}
      J> {"command":"forceUnlock","parameters":{"lockName":"b","mode":"permit"},"id":2} => {"id":2,"result":{"status":"ok","released":1}}
      J> {"command":"lock","parameters":{"lockName":"c","steal":true},"id":3} => {"id":3,"result":{"status":"ok","token":4,"count":1}}
      A> r a => 0 Lock Release Failure: a
      A> sr b => 0 Shared Lock Release Failure: b
      A> r c => 0 Lock Release Failure: c
      A> g c => 0 Lock Get Failure: c
      A> g a => 1 Lock Get Success: a`,
  },
  {
    shows: 'with dump off no answer names a holder',
    server: { dump: false },
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","owner":"j"},"id":1} => {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"b","owner":"k"},"id":1} => {"id":1,"result":{"status":"ok","token":2,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"a","owner":"other","timeLimit":0.01},"id":2} => {"id":2,"result":{"status":"timeout"}}
      K> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"}],"timeLimit":0.01},"id":3} => {"id":3,"result":{"status":"timeout"}}
      K> {"command":"lock","parameters":{"lockName":"a","owner":"k"},"id":4}
      K> {"command":"ping","id":5} => {"id":5,"result":{"status":"ok"}}
      J> {"command":"lock","parameters":{"lockName":"b","owner":"j"},"id":2} => {"id":2,"result":{"status":"deadlock"}}
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"b"}],"owner":"j"},"id":3} => {"id":3,"result":{"status":"deadlock"}}`,
  },
];
