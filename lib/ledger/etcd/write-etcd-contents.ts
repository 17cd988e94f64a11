/** Writes into etcd what another ledger had. */

import type { LedgerContents } from '../ledger-contents.ts';
import type { SessionChange } from '../session-queue.ts';
import type { EtcdClient } from './etcd-client.ts';
import { keysOf } from './etcd-ledger.ts';
import { EtcdSessions } from './etcd-sessions.ts';
import { EtcdStop } from './etcd-stop.ts';
import { reservation } from './etcd-tokens.ts';
import { type LeaderKey, LeaderWrites } from './leader-writes.ts';

/** As many changes as may fit into one write, and more. */
const LOOKED_AT = 100;

/** Where to write, and who writes: nobody else may lead meanwhile. */
export interface EtcdDestination {
  readonly client: EtcdClient;
  readonly prefix: string;
  readonly leader: LeaderKey;
  readonly onDeposed: () => void;
}

/**
 * Resolves once it is written. The lineage and the tokens come last: without them no server starts, so one that is cut short can be
 * done again. Rejects with an `EtcdError`, or with a `LedgerError` `unusable` when the locks of a planned stop are too large.
 */
export async function writeEtcdContents(destination: EtcdDestination, contents: LedgerContents): Promise<void> {
  const { client, prefix, leader, onDeposed } = destination;
  const counterKey = `${prefix}writes`;
  const counterRevision = (await client.range(counterKey)).entries[0]?.modRevision ?? 0;
  const writes = new LeaderWrites({ client, leader, counterKey, onDeposed }, counterRevision);
  const keys = keysOf(prefix);
  const leftovers = [keys.sessions, keys.losses, `${prefix}stop/`];
  await writes.write(leftovers.map((key) => ({ kind: 'delete', key, isPrefix: true })));
  const { epoch } = leader;
  if (contents.stop !== undefined) {
    const stop = new EtcdStop({ client, writes, prefix: `${prefix}stop/`, epochBefore: undefined, epoch });
    await stop.save(contents.stop);
  }
  await writeSessions(new EtcdSessions(keys, writes, [], 0), contents);
  await writes.write([
    { kind: 'put', key: `${prefix}lineage`, value: contents.lineage },
    reservation(`${prefix}tokens`, contents.reserved, epoch),
  ]);
}

async function writeSessions(store: EtcdSessions, { sessions }: LedgerContents): Promise<void> {
  const changes = sessions.flatMap(({ losses = [], ...session }): SessionChange[] => {
    const { id } = session;
    return [{ kind: 'add', id, session }, ...losses.map((loss) => ({ kind: 'lose', id, loss }) as const)];
  });
  for (let done = 0; done < changes.length; ) {
    const next = changes.slice(done, done + LOOKED_AT);
    const count = store.fit(next.map((change) => ({ change })));
    await store.write(next.slice(0, count));
    done += count;
  }
}
