/** pkLockServer's messages, as a plug-in of a lock server. */

import type { LockProtocol, LockProtocolPlug } from '../../server/lock-protocol.ts';
import { answerUnlock, PrefixedCommands } from './prefixed-commands.ts';

/** Plugs the messages of pkLockServer in: behind lengths, and its bare `unlock` among ours. */
export function prefixed(): LockProtocolPlug {
  return (parts): LockProtocol => {
    const commands = new PrefixedCommands(parts);
    return {
      name: 'prefixed',
      // A frame is a message by itself: there a length has no place.
      isForFrames: false,
      // The first byte of a length below 2^24.
      beginsWith: (byte) => byte === 0,
      service: () => commands,
      answerBare(session, { command, lockName }) {
        if (command !== 'unlock') return false;
        answerUnlock(session, lockName, typeof lockName === 'string' ? lockName : undefined);
        return true;
      },
    };
  };
}
