/** Conversations in the message protocol about `lockAll`. See `replay.ts`. */

import type { Transcript } from './replay.ts';

/** The clients J, K and L speak JSON. */
export const LOCK_ALL_TRANSCRIPTS: readonly Transcript[] = [
  {
    shows: 'lockAll grants all locks in the given order, and each is released by itself',
    lines: `
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"b"},{"lockName":"a","mode":"shared"},{"lockName":"a","mode":"permit","limit":1}]},"id":1}
      J< {"id":1,"result":{"status":"ok","tokens":[1,2,3],"counts":[1,1,1]}}
      K> {"command":"lock","parameters":{"lockName":"a","mode":"shared"},"id":1} => {"id":1,"result":{"status":"ok","token":4,"count":2}}
      K> {"command":"lockAll","parameters":{"locks":[{"lockName":"c"},{"lockName":"a","mode":"permit","limit":1}],"timeLimit":0},"id":2}
      K< {"id":2,"result":{"status":"unavailable"}}
      A> i c => 0 Lock Not Locked: c
      J> {"command":"unlock","parameters":{"lockName":"a","mode":"permit"},"id":2} => {"id":2,"result":{"status":"ok","count":0}}
      K> {"command":"lockAll","parameters":{"locks":[{"lockName":"c"},{"lockName":"a","mode":"permit","limit":1}],"timeLimit":0},"id":3}
      K< {"id":3,"result":{"status":"ok","tokens":[5,6],"counts":[1,1]}}
      J> {"command":"unlock","parameters":{"token":2},"id":3} => {"id":3,"result":{"status":"ok","count":1}}
      J> {"command":"unlockAll","id":4} => {"id":4,"result":{"status":"ok","released":1}}`,
  },
  {
    shows: 'a waiting lockAll holds nothing, keeps its places, and is granted in one step',
    lines: `
      A> g b => 1 Lock Get Success: b
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"},{"lockName":"c"}],"owner":"x"},"id":1}
      J> {"command":"ping","id":2} => {"id":2,"result":{"status":"ok"}}
      A> i a => 0 Lock Not Locked: a
      A> g a => 0 Lock Get Failure: a
      K> {"command":"lock","parameters":{"lockName":"c"},"id":1}
      K> {"command":"inspect","parameters":{"lockName":"c"},"id":2}
      K< {"id":2,"result":{"status":"ok","lockName":"c","holderCount":0,"waiterCount":2,"holders":[],"waiters":[{"owner":"x","name":"","address":"{J}","mode":"exclusive","position":1,"lockAll":true,"waitedMs":0},{"owner":"","name":"","address":"{K}","mode":"exclusive","position":2,"waitedMs":0}]}}
      A> r b => 1 Lock Release Success: b
      J< {"id":1,"result":{"status":"ok","tokens":[2,3,4],"counts":[1,1,1]}}
      J> {"command":"unlock","parameters":{"lockName":"c","owner":"x"},"id":3} => {"id":3,"result":{"status":"ok","count":0}}
      K< {"id":1,"result":{"status":"ok","token":5,"count":1}}`,
  },
  {
    shows: 'a lockAll keeps the locks of its owner and names them',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"b"},"id":1} => {"id":1,"result":{"status":"ok","token":1,"count":1}}
      J> {"command":"lock","parameters":{"lockName":"s","mode":"shared"},"id":2} => {"id":2,"result":{"status":"ok","token":2,"count":1}}
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b","mode":"shared"}]},"id":3}
      J< {"id":3,"result":{"status":"ok","tokens":[3,1],"counts":[1,1],"alreadyHeld":["b"]}}
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}]},"id":4}
      J< {"id":4,"result":{"status":"ok","tokens":[3,1],"counts":[1,1],"alreadyHeld":["a","b"]}}
      J> {"command":"unlockAll","id":5} => {"id":5,"result":{"status":"ok","released":3}}`,
  },
  {
    shows: 'lockAll times out with the holders of its locks, and leaves every queue',
    lines: `
      J> {"command":"identify","parameters":{"name":"Ann"},"id":0} => {"id":0,"result":{"status":"ok"}}
      J> {"command":"lock","parameters":{"lockName":"b","owner":"x","mode":"shared"},"id":1} => {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}],"timeLimit":0.01},"id":1}
      K< {"id":1,"result":{"status":"timeout","holders":[{"lockName":"b","owner":"x","name":"Ann","address":"{J}","mode":"shared","token":1,"heldMs":0}]}}
      A> g a => 1 Lock Get Success: a
      L> {"command":"lock","parameters":{"lockName":"b","mode":"shared"},"id":1} => {"id":1,"result":{"status":"ok","token":3,"count":2}}`,
  },
  {
    shows: 'cancel ends a whole lockAll and lets in the waiters behind it',
    lines: `
      A> g b => 1 Lock Get Success: b
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}]},"id":"all"}
      J> {"command":"ping","id":1} => {"id":1,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"a"},"id":1}
      K> {"command":"ping","id":2} => {"id":2,"result":{"status":"ok"}}
      J> {"command":"cancel","parameters":{"id":"all"},"id":2}
      J< {"id":"all","result":{"status":"cancelled"}}
      J< {"id":2,"result":{"status":"ok","outcome":"cancelled"}}
      K< {"id":1,"result":{"status":"ok","token":2,"count":1}}
      A> r b => 1 Lock Release Success: b
      J> {"command":"cancel","parameters":{"id":"all"},"id":3} => {"id":3,"result":{"status":"ok","outcome":"unknown"}}`,
  },
  {
    shows: 'unlock of one of its names ends a whole waiting lockAll',
    lines: `
      A> g b => 1 Lock Get Success: b
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}]},"id":1}
      J> {"command":"unlock","parameters":{"lockName":"a"},"id":2}
      J< {"id":1,"result":{"status":"cancelled"}}
      J< {"id":2,"result":{"status":"ok","count":0,"withdrawn":true}}
      J> {"command":"unlock","parameters":{"lockName":"b"},"id":3} => {"id":3,"result":{"status":"notHeld"}}`,
  },
  {
    shows: 'a lockAll is cancelled when its owner releases a lock that it includes',
    lines: `
      A> g b => 1 Lock Get Success: b
      J> {"command":"lock","parameters":{"lockName":"a"},"id":1} => {"id":1,"result":{"status":"ok","token":2,"count":1}}
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}]},"id":2}
      J> {"command":"unlock","parameters":{"lockName":"a"},"id":3}
      J< {"id":2,"result":{"status":"cancelled"}}
      J< {"id":3,"result":{"status":"ok","count":0}}
      A> r b => 1 Lock Release Success: b
      A> g a => 1 Lock Get Success: a`,
  },
  {
    shows: 'a half-close cancels a waiting lockAll and removes its places',
    lines: `
      A> g b => 1 Lock Get Success: b
      J> {"command":"ping","id":1} => {"id":1,"result":{"status":"ok"}}
      K> {"command":"ping","id":1} => {"id":1,"result":{"status":"ok"}}
      J$ {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}]},"id":2}
      J< {"id":2,"result":{"status":"cancelled"}}
      J.
      K> {"command":"lock","parameters":{"lockName":"a","timeLimit":0},"id":2} => {"id":2,"result":{"status":"ok","token":2,"count":1}}
      K> {"command":"inspect","parameters":{"lockName":"b"},"id":3}
      K< {"id":3,"result":{"status":"ok","lockName":"b","holderCount":1,"waiterCount":0,"holders":[{"owner":"","name":"","address":"{A}","mode":"exclusive","token":1,"heldMs":0}],"waiters":[]}}`,
  },
  {
    shows: 'a client that disconnects with a waiting lockAll leaves all its places and lets others in',
    lines: `
      A> g c => 1 Lock Get Success: c
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b","mode":"permit","limit":1},{"lockName":"c"}]},"id":1}
      J> {"command":"ping","id":2} => {"id":2,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"a"},"id":1}
      K> {"command":"ping","id":2} => {"id":2,"result":{"status":"ok"}}
      L> {"command":"lock","parameters":{"lockName":"b","mode":"permit","limit":1},"id":1}
      L> {"command":"ping","id":2} => {"id":2,"result":{"status":"ok"}}
      J!
      K< {"id":1,"result":{"status":"ok","token":2,"count":1}}
      L< {"id":1,"result":{"status":"ok","token":3,"count":1}}`,
  },
  {
    shows: 'lockAll and lock refuse a request that contradicts a waiting one of the same owner',
    lines: `
      A> g b => 1 Lock Get Success: b
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
