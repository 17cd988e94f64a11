/** Makes the files of a state directory from what another ledger had. */

import type { LedgerReport } from './ledger.ts';
import type { LedgerContents } from './ledger-contents.ts';
import { ListedSessions } from './listed-sessions.ts';
import { SessionFile } from './session-file.ts';
import { StateDirectory } from './state-directory.ts';
import { StopFile } from './stop-file.ts';
import { TokenFile } from './token-file.ts';

/** Resolves once the files are synced. Rejects with a `LedgerError`, or with the system's error. */
export async function writeStateDirectory(path: string, contents: LedgerContents, report: LedgerReport): Promise<void> {
  const { lineage, reserved, stop } = contents;
  const directory = await StateDirectory.open(path);
  try {
    const sessions = new SessionFile(directory, lineage, listedSessions(contents));
    await sessions.start();
    await sessions.close();
    const tokens = new TokenFile(directory, lineage, report);
    const runs = { lineage, runBefore: undefined, thisRun: tokens.run };
    if (stop !== undefined) await new StopFile(directory, runs).save(stop);
    await tokens.write(reserved);
    await tokens.close();
  } finally {
    await directory.close();
  }
}

function listedSessions({ sessions }: LedgerContents): ListedSessions {
  const listed = new ListedSessions();
  const added = sessions.map(({ losses: _, ...session }) => session);
  const lost = sessions.flatMap(({ id, losses = [] }) => losses.map((loss) => ({ id, ...loss })));
  listed.apply({ added, ended: [], lost });
  return listed;
}
