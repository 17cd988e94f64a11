/** Plugs the line protocol of lockd and glockd into a lock server. */

import type { ListenOptions } from '../../message/protocol.ts';
import type { LockProtocol, LockProtocolPlug } from '../../server/lock-protocol.ts';
import { firstNonSpace } from '../../wire/detect.ts';
import { LineCommands } from './line-commands.ts';
import type { Dialect } from './line-dialects.ts';
import { LineListings } from './line-listings.ts';
import { LineStatistics } from './line-statistics.ts';

/** The line protocol's options for one listener. */
export interface LineListenOptions extends ListenOptions {
  /** The dialect to speak; `glockd` by default. */
  readonly dialect?: Dialect;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
const LETTER_A = 0x61;
const LETTER_Z = 0x7a;
const DELETE = 0x7f;

/** Makes the plug-in for the line protocol. */
export function line(): LockProtocolPlug {
  return (parts): LockProtocol => {
    const statistics = new LineStatistics(parts.countConnections);
    const listings = new LineListings(parts);
    const commands: Readonly<Record<Dialect, LineCommands>> = {
      glockd: new LineCommands({ ...parts, statistics, listings, dialect: 'glockd' }),
      lockd: new LineCommands({ ...parts, statistics, listings, dialect: 'lockd' }),
    };
    return {
      name: 'line',
      isForFrames: true,
      beginsWith: (byte) => byte >= LETTER_A && byte <= LETTER_Z,
      takesAlone,
      service: ({ dialect = 'glockd' }: LineListenOptions) => commands[dialect],
    };
  };
}

/** A line in upper case, or a blank one, is no command but still belongs to this protocol. */
function takesAlone(bytes: Uint8Array): boolean {
  const first = firstNonSpace(bytes);
  return first === undefined ? bytes.includes(NEWLINE) : first > SPACE && first < DELETE;
}
