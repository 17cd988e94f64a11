/** Plugs pkLockServer's messages into a lock server. */

import type { LockProtocol, LockProtocolPlug } from '../../server/lock-protocol.ts';
import { answerUnlock, PrefixedCommands } from './prefixed-commands.ts';

/** Makes the plug-in: it serves frames with length prefixes, and pkLockServer's bare `unlock` among our messages. */
export function prefixed(): LockProtocolPlug {
  return (parts): LockProtocol => {
    const commands = new PrefixedCommands(parts);
    return {
      name: 'prefixed',
      // A frame already has its own length, so a prefix makes no sense there.
      isForFrames: false,
      // Every length below 2^24 begins with a zero byte.
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
