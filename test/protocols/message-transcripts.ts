/**
 * Conversations in the message protocol: several locks at once, deadlocks, and locks that are taken away. `replay.ts`
 * tells how to read them.
 */

import type { Transcript } from './replay.ts';

/** Several locks by one request. */
const ALL: readonly Transcript[] = [
  {
    shows: 'lockAll grants all locks in the order asked, and each is given back by itself',
    lines: `
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"b"},{"lockName":"a","mode":"shared"},{"lockName":"a","mode":"permit","limit":1}]},"id":1}
      J< {"id":1,"result":{"status":"ok","tokens":[1,2,3],"counts":[1,1,1]}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"shared"},"id":1}
      K< {"id":1,"result":{"status":"ok","token":4,"count":2}}
      K> {"command":"lockAll","parameters":{"locks":[{"lockName":"c"},{"lockName":"a","mode":"permit","limit":1}],"timeLimit":0},"id":2}
      K< {"id":2,"result":{"status":"unavailable"}}
      A> i c
      A< 0 Lock Not Locked: c
      J> {"command":"unlock","parameters":{"lockName":"a","mode":"permit"},"id":2}
      J< {"id":2,"result":{"status":"ok","count":0}}
      K> {"command":"lockAll","parameters":{"locks":[{"lockName":"c"},{"lockName":"a","mode":"permit","limit":1}],"timeLimit":0},"id":3}
      K< {"id":3,"result":{"status":"ok","tokens":[5,6],"counts":[1,1]}}
      J> {"command":"unlock","parameters":{"token":2},"id":3}
      J< {"id":3,"result":{"status":"ok","count":1}}
      J> {"command":"unlockAll","id":4}
      J< {"id":4,"result":{"status":"ok","released":1}}`,
  },
  {
    shows: 'a waiting lockAll holds nothing, keeps its places and is granted in one step',
    lines: `
      A> g b
      A< 1 Lock Get Success: b
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"},{"lockName":"c"}],"owner":"x"},"id":1}
      J> {"command":"ping","id":2}
      J< {"id":2,"result":{"status":"ok"}}
      A> i a
      A< 0 Lock Not Locked: a
      A> g a
      A< 0 Lock Get Failure: a
      K> {"command":"lock","parameters":{"lockName":"c"},"id":1}
      K> {"command":"inspect","parameters":{"lockName":"c"},"id":2}
      K< {"id":2,"result":{"status":"ok","lockName":"c","holderCount":0,"waiterCount":2,"holders":[],"waiters":[{"owner":"x","name":"","address":"{J}","mode":"exclusive","position":1,"lockAll":true,"waitedMs":0},{"owner":"","name":"","address":"{K}","mode":"exclusive","position":2,"waitedMs":0}]}}
      A> r b
      A< 1 Lock Release Success: b
      J< {"id":1,"result":{"status":"ok","tokens":[2,3,4],"counts":[1,1,1]}}
      J> {"command":"unlock","parameters":{"lockName":"c","owner":"x"},"id":3}
      J< {"id":3,"result":{"status":"ok","count":0}}
      K< {"id":1,"result":{"status":"ok","token":5,"count":1}}`,
  },
  {
    shows: 'a lockAll keeps what its owner holds and names it',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"b"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      J> {"command":"lock","parameters":{"lockName":"s","mode":"shared"},"id":2}
      J< {"id":2,"result":{"status":"ok","token":2,"count":1}}
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b","mode":"shared"}]},"id":3}
      J< {"id":3,"result":{"status":"ok","tokens":[3,1],"counts":[1,1],"alreadyHeld":["b"]}}
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}]},"id":4}
      J< {"id":4,"result":{"status":"ok","tokens":[3,1],"counts":[1,1],"alreadyHeld":["a","b"]}}
      J> {"command":"unlockAll","id":5}
      J< {"id":5,"result":{"status":"ok","released":3}}`,
  },
  {
    shows: 'lockAll times out with who holds what it waited for, and leaves every queue',
    lines: `
      J> {"command":"identify","parameters":{"name":"Ann"},"id":0}
      J< {"id":0,"result":{"status":"ok"}}
      J> {"command":"lock","parameters":{"lockName":"b","owner":"x","mode":"shared"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}],"timeLimit":0.01},"id":1}
      K< {"id":1,"result":{"status":"timeout","holders":[{"lockName":"b","owner":"x","name":"Ann","address":"{J}","mode":"shared","token":1,"heldMs":0}]}}
      A> g a
      A< 1 Lock Get Success: a
      L> {"command":"lock","parameters":{"lockName":"b","mode":"shared"},"id":1}
      L< {"id":1,"result":{"status":"ok","token":3,"count":2}}`,
  },
  {
    shows: 'cancel ends a lockAll as a whole and lets in who waits behind it',
    lines: `
      A> g b
      A< 1 Lock Get Success: b
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}]},"id":"all"}
      J> {"command":"ping","id":1}
      J< {"id":1,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"a"},"id":1}
      K> {"command":"ping","id":2}
      K< {"id":2,"result":{"status":"ok"}}
      J> {"command":"cancel","parameters":{"id":"all"},"id":2}
      J< {"id":"all","result":{"status":"cancelled"}}
      J< {"id":2,"result":{"status":"ok","outcome":"cancelled"}}
      K< {"id":1,"result":{"status":"ok","token":2,"count":1}}
      A> r b
      A< 1 Lock Release Success: b
      J> {"command":"cancel","parameters":{"id":"all"},"id":3}
      J< {"id":3,"result":{"status":"ok","outcome":"unknown"}}`,
  },
  {
    shows: 'unlock of a name that a lockAll waits for ends it as a whole',
    lines: `
      A> g b
      A< 1 Lock Get Success: b
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}]},"id":1}
      J> {"command":"unlock","parameters":{"lockName":"a"},"id":2}
      J< {"id":1,"result":{"status":"cancelled"}}
      J< {"id":2,"result":{"status":"ok","count":0,"withdrawn":true}}
      J> {"command":"unlock","parameters":{"lockName":"b"},"id":3}
      J< {"id":3,"result":{"status":"notHeld"}}`,
  },
  {
    shows: 'a lockAll is cancelled when its owner gives back a hold that it counted on',
    lines: `
      A> g b
      A< 1 Lock Get Success: b
      J> {"command":"lock","parameters":{"lockName":"a"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":2,"count":1}}
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}]},"id":2}
      J> {"command":"unlock","parameters":{"lockName":"a"},"id":3}
      J< {"id":2,"result":{"status":"cancelled"}}
      J< {"id":3,"result":{"status":"ok","count":0}}
      A> r b
      A< 1 Lock Release Success: b
      A> g a
      A< 1 Lock Get Success: a`,
  },
  {
    shows: 'a half-closed connection has its waiting lockAll cancelled and its places left',
    lines: `
      A> g b
      A< 1 Lock Get Success: b
      J> {"command":"ping","id":1}
      J< {"id":1,"result":{"status":"ok"}}
      K> {"command":"ping","id":1}
      K< {"id":1,"result":{"status":"ok"}}
      J$ {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}]},"id":2}
      J< {"id":2,"result":{"status":"cancelled"}}
      J.
      K> {"command":"lock","parameters":{"lockName":"a","timeLimit":0},"id":2}
      K< {"id":2,"result":{"status":"ok","token":2,"count":1}}
      K> {"command":"inspect","parameters":{"lockName":"b"},"id":3}
      K< {"id":3,"result":{"status":"ok","lockName":"b","holderCount":1,"waiterCount":0,"holders":[{"owner":"","name":"","address":"{A}","mode":"exclusive","token":1,"heldMs":0}],"waiters":[]}}`,
  },
  {
    shows: 'a client that goes away with a waiting lockAll frees all its places and lets others in',
    lines: `
      A> g c
      A< 1 Lock Get Success: c
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b","mode":"permit","limit":1},{"lockName":"c"}]},"id":1}
      J> {"command":"ping","id":2}
      J< {"id":2,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"a"},"id":1}
      K> {"command":"ping","id":2}
      K< {"id":2,"result":{"status":"ok"}}
      L> {"command":"lock","parameters":{"lockName":"b","mode":"permit","limit":1},"id":1}
      L> {"command":"ping","id":2}
      L< {"id":2,"result":{"status":"ok"}}
      J!
      K< {"id":1,"result":{"status":"ok","token":2,"count":1}}
      L< {"id":1,"result":{"status":"ok","token":3,"count":1}}`,
  },
  {
    shows: 'lockAll and lock refuse what contradicts a waiting request of the same owner',
    lines: `
      A> g b
      A< 1 Lock Get Success: b
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"a","mode":"shared"}]},"id":1}
      J< {"id":1,"result":{"status":"invalid","message":"parameters.locks[1].lockName is \\"a\\", as parameters.locks[0].lockName is; expected each lock once"}}
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}]},"id":2}
      J> {"command":"lock","parameters":{"lockName":"a"},"id":3}
      J< {"id":3,"result":{"status":"invalid","message":"the owner awaits the lock together with others and cannot ask for it alone meanwhile"}}
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"b"}]},"id":4}
      J< {"id":4,"result":{"status":"invalid","message":"the owner awaits \\"b\\" already"}}
      J> {"command":"unlockAll","id":5}
      J< {"id":2,"result":{"status":"cancelled"}}
      J< {"id":5,"result":{"status":"ok","released":0}}`,
  },
];

/** Owners that would wait for each other for ever. */
const DEADLOCKS: readonly Transcript[] = [
  {
    shows: 'the request that closes a circle of tagged owners is refused at once with the circle',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","owner":"j"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"identify","parameters":{"name":"Kay"},"id":1}
      K< {"id":1,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"b","owner":"k","mode":"shared"},"id":2}
      K< {"id":2,"result":{"status":"ok","token":2,"count":1}}
      L> {"command":"lock","parameters":{"lockName":"c","owner":"l"},"id":1}
      L< {"id":1,"result":{"status":"ok","token":3,"count":1}}
      J> {"command":"lock","parameters":{"lockName":"b","owner":"j"},"id":2}
      J> {"command":"ping","id":3}
      J< {"id":3,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"c","owner":"k","mode":"shared"},"id":3}
      K> {"command":"ping","id":4}
      K< {"id":4,"result":{"status":"ok"}}
      L> {"command":"lock","parameters":{"lockName":"a","owner":"l","timeLimit":10},"id":2}
      L< {"id":2,"result":{"status":"deadlock","cycle":[{"owner":"l","name":"","address":"{L}","lockName":"a","mode":"exclusive","blockedBy":"holder"},{"owner":"j","name":"","address":"{J}","lockName":"b","mode":"exclusive","blockedBy":"holder"},{"owner":"k","name":"Kay","address":"{K}","lockName":"c","mode":"shared","blockedBy":"holder"}]}}
      L> {"command":"unlockAll","id":3}
      L< {"id":3,"result":{"status":"ok","released":1}}
      K< {"id":3,"result":{"status":"ok","token":4,"count":1}}`,
  },
  {
    shows: 'who waits ahead in the queue can close a circle too, also by a lockAll',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","owner":"j"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      A> g b
      A< 1 Lock Get Success: b
      K> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}],"owner":"k"},"id":1}
      K> {"command":"ping","id":2}
      K< {"id":2,"result":{"status":"ok"}}
      J> {"command":"lock","parameters":{"lockName":"b","owner":"j"},"id":2}
      J< {"id":2,"result":{"status":"deadlock","cycle":[{"owner":"j","name":"","address":"{J}","lockName":"b","mode":"exclusive","blockedBy":"waiter"},{"owner":"k","name":"","address":"{K}","lockName":"a","mode":"exclusive","blockedBy":"holder"}]}}
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"c"},{"lockName":"b"}],"owner":"j"},"id":3}
      J< {"id":3,"result":{"status":"deadlock","cycle":[{"owner":"j","name":"","address":"{J}","lockName":"b","mode":"exclusive","blockedBy":"waiter"},{"owner":"k","name":"","address":"{K}","lockName":"a","mode":"exclusive","blockedBy":"holder"}]}}
      A> g c
      A< 1 Lock Get Success: c`,
  },
  {
    shows: 'owners without a tag are never refused, and nobody is refused on their account',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"b","owner":"k"},"id":1}
      K< {"id":1,"result":{"status":"ok","token":2,"count":1}}
      J> {"command":"lock","parameters":{"lockName":"b"},"id":2}
      J> {"command":"ping","id":3}
      J< {"id":3,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"a","owner":"k"},"id":2}
      K> {"command":"ping","id":3}
      K< {"id":3,"result":{"status":"ok"}}
      J> {"command":"unlock","parameters":{"lockName":"a"},"id":4}
      J< {"id":4,"result":{"status":"ok","count":0}}
      K< {"id":2,"result":{"status":"ok","token":3,"count":1}}`,
  },
  {
    shows: 'a try-lock in a circle is unavailable, no deadlock, and a member that gives up dissolves the circle',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","owner":"j"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"b","owner":"k"},"id":1}
      K< {"id":1,"result":{"status":"ok","token":2,"count":1}}
      J> {"command":"lock","parameters":{"lockName":"b","owner":"j"},"id":2}
      J> {"command":"ping","id":3}
      J< {"id":3,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"a","owner":"k","timeLimit":0},"id":2}
      K< {"id":2,"result":{"status":"unavailable"}}
      J> {"command":"cancel","parameters":{"id":2},"id":4}
      J< {"id":2,"result":{"status":"cancelled"}}
      J< {"id":4,"result":{"status":"ok","outcome":"cancelled"}}
      K> {"command":"lock","parameters":{"lockName":"a","owner":"k"},"id":3}
      K> {"command":"ping","id":4}
      K< {"id":4,"result":{"status":"ok"}}
      J> {"command":"unlockAll","id":5}
      J< {"id":5,"result":{"status":"ok","released":1}}
      K< {"id":3,"result":{"status":"ok","token":3,"count":1}}`,
  },
  {
    shows: 'a request whose place lost its greatest limit is refused later when it could never be granted any more',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"p","mode":"permit","owner":"j"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      A> sg p
      A< 2 Shared Lock Get Success: p
      K> {"command":"lock","parameters":{"lockName":"b","owner":"k"},"id":1}
      K< {"id":1,"result":{"status":"ok","token":3,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"p","mode":"permit","limit":1,"owner":"k"},"id":2}
      K> {"command":"lock","parameters":{"lockName":"p","mode":"permit","limit":2,"owner":"k"},"id":3}
      K> {"command":"ping","id":4}
      K< {"id":4,"result":{"status":"ok"}}
      J> {"command":"lock","parameters":{"lockName":"b","owner":"j"},"id":2}
      J> {"command":"ping","id":3}
      J< {"id":3,"result":{"status":"ok"}}
      K> {"command":"cancel","parameters":{"id":3},"id":5}
      K< {"id":3,"result":{"status":"cancelled"}}
      K< {"id":2,"result":{"status":"deadlock","cycle":[{"owner":"k","name":"","address":"{K}","lockName":"p","mode":"permit","blockedBy":"holder"},{"owner":"j","name":"","address":"{J}","lockName":"b","mode":"exclusive","blockedBy":"holder"}]}}
      K< {"id":5,"result":{"status":"ok","outcome":"cancelled"}}`,
  },
];

/** Locks that are taken away. */
const TAKEN: readonly Transcript[] = [
  {
    shows: 'steal takes a stealable lock from all its holders, ahead of those who wait',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","mode":"shared","stealable":true,"owner":"x"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"shared","stealable":true},"id":1}
      K< {"id":1,"result":{"status":"ok","token":2,"count":2}}
      K> {"command":"inspect","parameters":{"lockName":"a","max":1},"id":2}
      K< {"id":2,"result":{"status":"ok","lockName":"a","holderCount":2,"waiterCount":0,"holders":[{"owner":"x","name":"","address":"{J}","mode":"shared","token":1,"heldMs":0,"stealable":true}],"waiters":[]}}
      K> {"command":"lock","parameters":{"lockName":"a","owner":"y"},"id":3}
      K> {"command":"ping","id":4}
      K< {"id":4,"result":{"status":"ok"}}
      L> {"command":"lock","parameters":{"lockName":"a","steal":true},"id":1}
      L< {"id":1,"result":{"status":"ok","token":3,"count":1}}
      J< {"event":"lost","lockName":"a","mode":"shared","owner":"x","token":1,"reason":"stolen"}
      K< {"event":"lost","lockName":"a","mode":"shared","owner":"","token":2,"reason":"stolen"}
      J> {"command":"unlock","parameters":{"token":1},"id":2}
      J< {"id":2,"result":{"status":"notHeld"}}
      L> {"command":"lock","parameters":{"lockName":"a","steal":true},"id":2}
      L< {"id":2,"result":{"status":"ok","token":3,"count":1,"alreadyHeld":true}}
      L> {"command":"unlock","parameters":{"lockName":"a"},"id":3}
      L< {"id":3,"result":{"status":"ok","count":0}}
      K< {"id":3,"result":{"status":"ok","token":4,"count":1}}`,
  },
  {
    shows: 'steal is denied when any holder did not say stealable, and nobody loses anything',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","mode":"shared","stealable":true},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"shared","stealable":false},"id":1}
      K< {"id":1,"result":{"status":"ok","token":2,"count":2}}
      L> {"command":"lock","parameters":{"lockName":"a","steal":true},"id":1}
      L< {"id":1,"result":{"status":"denied"}}
      K> {"command":"unlock","parameters":{"lockName":"a"},"id":2}
      K< {"id":2,"result":{"status":"ok","count":1}}
      L> {"command":"lock","parameters":{"lockName":"a","steal":true,"timeLimit":0},"id":2}
      L< {"id":2,"result":{"status":"ok","token":3,"count":1}}
      J< {"event":"lost","lockName":"a","mode":"shared","owner":"","token":1,"reason":"stolen"}`,
  },
  {
    shows: 'with forceUnlock on, steal takes any lock',
    server: { forceUnlock: true },
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"a","steal":true},"id":1}
      K< {"id":1,"result":{"status":"ok","token":2,"count":1}}
      J< {"event":"lost","lockName":"a","mode":"exclusive","owner":"","token":1,"reason":"stolen"}`,
  },
  {
    shows: 'a lock that is free is granted to a steal ahead of those who wait',
    lines: `
      A> g b
      A< 1 Lock Get Success: b
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}]},"id":1}
      J> {"command":"ping","id":2}
      J< {"id":2,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"a","steal":true},"id":1}
      K< {"id":1,"result":{"status":"ok","token":2,"count":1}}
      A> r b
      A< 1 Lock Release Success: b
      K> {"command":"unlock","parameters":{"lockName":"a"},"id":2}
      K< {"id":2,"result":{"status":"ok","count":0}}
      J< {"id":1,"result":{"status":"ok","tokens":[3,4],"counts":[1,1]}}`,
  },
  {
    shows: 'a steal is invalid with another mode than exclusive, and from an owner that waits',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","stealable":true},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"shared","steal":true},"id":1}
      K< {"id":1,"result":{"status":"invalid","message":"parameters.steal is true; expected none, since mode is \\"shared\\""}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"permit","steal":true},"id":2}
      K< {"id":2,"result":{"status":"invalid","message":"parameters.steal is true; expected none, since mode is \\"permit\\""}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"shared","steal":false,"timeLimit":0},"id":3}
      K< {"id":3,"result":{"status":"unavailable"}}
      A> g b
      A< 1 Lock Get Success: b
      K> {"command":"lock","parameters":{"lockName":"b","owner":"k"},"id":4}
      K> {"command":"lock","parameters":{"lockName":"a","steal":true,"owner":"k"},"id":5}
      K< {"id":5,"result":{"status":"invalid","message":"the owner waits for another lock and cannot steal"}}`,
  },
  {
    shows: 'forceUnlock frees the reader/writer lock however it is held, and those who wait move up',
    server: { forceUnlock: true },
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","mode":"shared"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      J> {"command":"lock","parameters":{"lockName":"a","mode":"permit"},"id":2}
      J< {"id":2,"result":{"status":"ok","token":2,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"shared","owner":"k"},"id":1}
      K< {"id":1,"result":{"status":"ok","token":3,"count":2}}
      K> {"command":"lock","parameters":{"lockName":"a"},"id":2}
      K> {"command":"ping","id":3}
      K< {"id":3,"result":{"status":"ok"}}
      L> {"command":"forceUnlock","parameters":{"lockName":"a","mode":"exclusive"},"id":1}
      L< {"id":1,"result":{"status":"ok","released":2}}
      J< {"event":"lost","lockName":"a","mode":"shared","owner":"","token":1,"reason":"forced"}
      K< {"event":"lost","lockName":"a","mode":"shared","owner":"k","token":3,"reason":"forced"}
      K< {"id":2,"result":{"status":"ok","token":4,"count":1}}
      L> {"command":"forceUnlock","parameters":{"lockName":"a","mode":"permit"},"id":2}
      L< {"id":2,"result":{"status":"ok","released":1}}
      J< {"event":"lost","lockName":"a","mode":"permit","owner":"","token":2,"reason":"forced"}
      L> {"command":"forceUnlock","parameters":{"lockName":"a","mode":"permit"},"id":3}
      L< {"id":3,"result":{"status":"ok","released":0}}
      L> {"command":"forceUnlock","parameters":{"lockName":"none"},"id":4}
      L< {"id":4,"result":{"status":"ok","released":0}}`,
  },
  {
    shows: 'forceUnlock is denied unless the setting allows it',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      J> {"command":"forceUnlock","parameters":{"lockName":"a"},"id":2}
      J< {"id":2,"result":{"status":"denied"}}
      J> {"command":"unlock","parameters":{"lockName":"a"},"id":3}
      J< {"id":3,"result":{"status":"ok","count":0}}`,
  },
  {
    shows: 'a line client is not told that its lock was taken, and r fails afterwards',
    server: { forceUnlock: true },
    lines: `
      A> g a
      A< 1 Lock Get Success: a
      A> sg b
      A< 1 Shared Lock Get Success: b
      A> g c
      A< 1 Lock Get Success: c
      J> {"command":"forceUnlock","parameters":{"lockName":"a"},"id":1}
      J< {"id":1,"result":{"status":"ok","released":1}}
      J> {"command":"forceUnlock","parameters":{"lockName":"b","mode":"permit"},"id":2}
      J< {"id":2,"result":{"status":"ok","released":1}}
      J> {"command":"lock","parameters":{"lockName":"c","steal":true},"id":3}
      J< {"id":3,"result":{"status":"ok","token":4,"count":1}}
      A> r a
      A< 0 Lock Release Failure: a
      A> sr b
      A< 0 Shared Lock Release Failure: b
      A> r c
      A< 0 Lock Release Failure: c
      A> g c
      A< 0 Lock Get Failure: c
      A> g a
      A< 1 Lock Get Success: a`,
  },
  {
    shows: 'with dump off nobody is told who is in the way',
    server: { dump: false },
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","owner":"j"},"id":1}
      J< {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"b","owner":"k"},"id":1}
      K< {"id":1,"result":{"status":"ok","token":2,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"a","owner":"other","timeLimit":0.01},"id":2}
      K< {"id":2,"result":{"status":"timeout"}}
      K> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"}],"timeLimit":0.01},"id":3}
      K< {"id":3,"result":{"status":"timeout"}}
      K> {"command":"lock","parameters":{"lockName":"a","owner":"k"},"id":4}
      K> {"command":"ping","id":5}
      K< {"id":5,"result":{"status":"ok"}}
      J> {"command":"lock","parameters":{"lockName":"b","owner":"j"},"id":2}
      J< {"id":2,"result":{"status":"deadlock"}}
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"b"}],"owner":"j"},"id":3}
      J< {"id":3,"result":{"status":"deadlock"}}`,
  },
];

/** All of them; the clients J, K and L speak in JSON. */
export const MESSAGE_TRANSCRIPTS: readonly Transcript[] = [...ALL, ...DEADLOCKS, ...TAKEN];
