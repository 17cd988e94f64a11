/** Conversations in the message protocol about deadlocks. See `replay.ts`. */

import type { Transcript } from './replay.ts';

/** The clients J, K and L speak JSON. */
export const DEADLOCK_TRANSCRIPTS: readonly Transcript[] = [
  {
    shows: 'the request that closes a circle of tagged owners is refused at once, with the circle',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","owner":"j"},"id":1} => {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"identify","parameters":{"name":"Kay"},"id":1} => {"id":1,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"b","owner":"k","mode":"shared"},"id":2} => {"id":2,"result":{"status":"ok","token":2,"count":1}}
      L> {"command":"lock","parameters":{"lockName":"c","owner":"l"},"id":1} => {"id":1,"result":{"status":"ok","token":3,"count":1}}
      J> {"command":"lock","parameters":{"lockName":"b","owner":"j"},"id":2}
      J> {"command":"ping","id":3} => {"id":3,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"c","owner":"k","mode":"shared"},"id":3}
      K> {"command":"ping","id":4} => {"id":4,"result":{"status":"ok"}}
      L> {"command":"lock","parameters":{"lockName":"a","owner":"l","timeLimit":10},"id":2}
      L< {"id":2,"result":{"status":"deadlock","cycle":[{"owner":"l","name":"","address":"{L}","lockName":"a","mode":"exclusive","blockedBy":"holder"},{"owner":"j","name":"","address":"{J}","lockName":"b","mode":"exclusive","blockedBy":"holder"},{"owner":"k","name":"Kay","address":"{K}","lockName":"c","mode":"shared","blockedBy":"holder"}]}}
      L> {"command":"unlockAll","id":3} => {"id":3,"result":{"status":"ok","released":1}}
      K< {"id":3,"result":{"status":"ok","token":4,"count":1}}`,
  },
  {
    shows: 'a waiter ahead in the queue can close a circle, too, even by a lockAll',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","owner":"j"},"id":1} => {"id":1,"result":{"status":"ok","token":1,"count":1}}
      A> g b => 1 Lock Get Success: b
      K> {"command":"lockAll","parameters":{"locks":[{"lockName":"a"},{"lockName":"b"}],"owner":"k"},"id":1}
      K> {"command":"ping","id":2} => {"id":2,"result":{"status":"ok"}}
      J> {"command":"lock","parameters":{"lockName":"b","owner":"j"},"id":2}
      J< {"id":2,"result":{"status":"deadlock","cycle":[{"owner":"j","name":"","address":"{J}","lockName":"b","mode":"exclusive","blockedBy":"waiter"},{"owner":"k","name":"","address":"{K}","lockName":"a","mode":"exclusive","blockedBy":"holder"}]}}
      J> {"command":"lockAll","parameters":{"locks":[{"lockName":"c"},{"lockName":"b"}],"owner":"j"},"id":3}
      J< {"id":3,"result":{"status":"deadlock","cycle":[{"owner":"j","name":"","address":"{J}","lockName":"b","mode":"exclusive","blockedBy":"waiter"},{"owner":"k","name":"","address":"{K}","lockName":"a","mode":"exclusive","blockedBy":"holder"}]}}
      A> g c => 1 Lock Get Success: c`,
  },
  {
    shows: 'owners without a tag are never part of a deadlock',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a"},"id":1} => {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"b","owner":"k"},"id":1} => {"id":1,"result":{"status":"ok","token":2,"count":1}}
      J> {"command":"lock","parameters":{"lockName":"b"},"id":2}
      J> {"command":"ping","id":3} => {"id":3,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"a","owner":"k"},"id":2}
      K> {"command":"ping","id":3} => {"id":3,"result":{"status":"ok"}}
      J> {"command":"unlock","parameters":{"lockName":"a"},"id":4} => {"id":4,"result":{"status":"ok","count":0}}
      K< {"id":2,"result":{"status":"ok","token":3,"count":1}}`,
  },
  {
    shows: 'a try-lock in a circle is unavailable, not a deadlock, and a member that gives up ends the circle',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"a","owner":"j"},"id":1} => {"id":1,"result":{"status":"ok","token":1,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"b","owner":"k"},"id":1} => {"id":1,"result":{"status":"ok","token":2,"count":1}}
      J> {"command":"lock","parameters":{"lockName":"b","owner":"j"},"id":2}
      J> {"command":"ping","id":3} => {"id":3,"result":{"status":"ok"}}
      K> {"command":"lock","parameters":{"lockName":"a","owner":"k","timeLimit":0},"id":2} => {"id":2,"result":{"status":"unavailable"}}
      J> {"command":"cancel","parameters":{"id":2},"id":4}
      J< {"id":2,"result":{"status":"cancelled"}}
      J< {"id":4,"result":{"status":"ok","outcome":"cancelled"}}
      K> {"command":"lock","parameters":{"lockName":"a","owner":"k"},"id":3}
      K> {"command":"ping","id":4} => {"id":4,"result":{"status":"ok"}}
      J> {"command":"unlockAll","id":5} => {"id":5,"result":{"status":"ok","released":1}}
      K< {"id":3,"result":{"status":"ok","token":3,"count":1}}`,
  },
  {
    shows: 'a request is refused later when a cancelled one leaves it without a chance',
    lines: `
      J> {"command":"lock","parameters":{"lockName":"p","mode":"permit","owner":"j"},"id":1} => {"id":1,"result":{"status":"ok","token":1,"count":1}}
      A> sg p => 2 Shared Lock Get Success: p
      K> {"command":"lock","parameters":{"lockName":"b","owner":"k"},"id":1} => {"id":1,"result":{"status":"ok","token":3,"count":1}}
      K> {"command":"lock","parameters":{"lockName":"p","mode":"permit","limit":1,"owner":"k"},"id":2}
      K> {"command":"lock","parameters":{"lockName":"p","mode":"permit","limit":2,"owner":"k"},"id":3}
      K> {"command":"ping","id":4} => {"id":4,"result":{"status":"ok"}}
      J> {"command":"lock","parameters":{"lockName":"b","owner":"j"},"id":2}
      J> {"command":"ping","id":3} => {"id":3,"result":{"status":"ok"}}
      K> {"command":"cancel","parameters":{"id":3},"id":5}
      K< {"id":3,"result":{"status":"cancelled"}}
      K< {"id":2,"result":{"status":"deadlock","cycle":[{"owner":"k","name":"","address":"{K}","lockName":"p","mode":"permit","blockedBy":"holder"},{"owner":"j","name":"","address":"{J}","lockName":"b","mode":"exclusive","blockedBy":"holder"}]}}
      K< {"id":5,"result":{"status":"ok","outcome":"cancelled"}}`,
  },
];
