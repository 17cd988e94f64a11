/** Moves a ledger between the state directory of a single server and the etcd of a cluster, whole and once. */

import { existsSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { EtcdClient } from '../ledger/etcd/etcd-client.ts';
import { EtcdError } from '../ledger/etcd/etcd-error.ts';
import { openEtcdLedger } from '../ledger/etcd/etcd-ledger.ts';
import type { LeaderKey } from '../ledger/etcd/leader-writes.ts';
import { writeEtcdContents } from '../ledger/etcd/write-etcd-contents.ts';
import { openFileLedger } from '../ledger/file-ledger.ts';
import type { Ledger, LedgerReport } from '../ledger/ledger.ts';
import { type LedgerContents, takeContents } from '../ledger/ledger-contents.ts';
import { writeStateDirectory } from '../ledger/write-state-directory.ts';

/** No server leads meanwhile. */
const LONGEST_MOVE_SECONDS = 60;
/** Without the first, no server goes on with the lineage, so it is the first that is put aside. */
const FILES = ['tokens', 'sessions', 'stop'];

/** The move is not possible as things are; nothing was changed unless the message says so. */
export class MovingError extends Error {
  override readonly name: string = 'MovingError';
}

export interface MovingOptions {
  readonly client: EtcdClient;
  /** Of all keys of the cluster. */
  readonly prefix: string;
  /** The state directory. */
  readonly directory: string;
  /** The wall clock. */
  readonly nowMs: number;
  readonly report: LedgerReport;
}

/** Says whom a move has kept from leading, since another got the lead in spite of it. */
type OnDeposed = () => void;

/**
 * Moves a state directory into a cluster that has no lineage yet, and renames its files, so that no single server goes on with
 * them. Resolves to a sentence that tells what was done. Rejects with a `MovingError`, a `LedgerError` or an `EtcdError`.
 */
export async function importDirectory(options: MovingOptions): Promise<string> {
  const { client, prefix, directory, nowMs, report } = options;
  if (!existsSync(join(directory, 'tokens'))) {
    throw new MovingError(`${directory} has no file "tokens"; expected the state directory of a server`);
  }
  const source = await openFileLedger({ directory, nowMs, report });
  try {
    return await whileNobodyLeads(options, async (leader, onDeposed) => {
      const lineage = await findLineage(options);
      if (lineage !== undefined && lineage !== source.lineage) {
        const lineages = `the cluster's is ${lineage}, that of ${directory} is ${source.lineage}`;
        throw new MovingError(`the cluster has tokens of another lineage: ${lineages}; expected a cluster without any`);
      }
      if (lineage === undefined) {
        const destination = { client, prefix, leader, onDeposed };
        await moveContents(source, report, (contents) => writeEtcdContents(destination, contents));
      }
      await putAside(directory);
      return lineage === undefined
        ? `moved ${directory} into the cluster: lineage ${source.lineage}, sessions: ${source.sessions.atStart.length}`
        : `the cluster has the lineage ${lineage} already; put the files of ${directory} aside`;
    });
  } finally {
    await source.close();
  }
}

/**
 * Moves the ledger of a cluster whose servers are all stopped into a new state directory, and deletes all keys of the cluster. Resolves to a
 * sentence that tells what was done. Rejects as `importDirectory` does.
 */
export async function exportDirectory(options: MovingOptions): Promise<string> {
  const { client, prefix, directory, nowMs, report } = options;
  const inTheWay = FILES.find((file) => existsSync(join(directory, file)));
  if (inTheWay !== undefined) {
    throw new MovingError(`${directory} has a file "${inTheWay}"; expected a directory that no server has used`);
  }
  return await whileNobodyLeads(options, async (leader, onDeposed) => {
    await requireNoNodes(options);
    if ((await findLineage(options)) === undefined) {
      throw new MovingError(`etcd has no key ${prefix}lineage; expected the keys of a cluster below ${prefix}`);
    }
    const source = await openEtcdLedger({ client, prefix, leader, leaseMs: 0, nowMs, report, onDeposed });
    try {
      await moveContents(source, report, (contents) => writeStateDirectory(directory, contents, report));
    } finally {
      await source.close();
    }
    await deleteKeys(options, leader);
    return `moved the cluster into ${directory}: lineage ${source.lineage}, sessions: ${source.sessions.atStart.length}`;
  });
}

/** Leads in the place of a server, so that none does. */
async function whileNobodyLeads<Result>(
  { client, prefix }: MovingOptions,
  move: (leader: LeaderKey, onDeposed: OnDeposed) => Promise<Result>,
): Promise<Result> {
  const { id } = await client.grantLease(LONGEST_MOVE_SECONDS);
  const key = `${prefix}leader`;
  try {
    const { succeeded, revision } = await client.txn({
      compare: [{ key, createRevision: 0 }],
      success: [{ kind: 'put', key, value: '{"moving":true}', lease: id }],
    });
    if (!succeeded)
      throw new MovingError(`a server of the cluster leads, or another move is under way; stop all servers`);
    return await new Promise((resolve, reject) => {
      const onDeposed = (): void => reject(new MovingError(`the move took more than ${LONGEST_MOVE_SECONDS} seconds`));
      move({ key, epoch: revision }, onDeposed).then(resolve, reject);
    });
  } finally {
    await client.revokeLease(id).catch(() => {});
  }
}

async function findLineage({ client, prefix }: MovingOptions): Promise<string | undefined> {
  return (await client.range(`${prefix}lineage`)).entries[0]?.value;
}

async function requireNoNodes({ client, prefix }: MovingOptions): Promise<void> {
  const nodes = `${prefix}nodes/`;
  const { entries } = await client.range(nodes, { isPrefix: true });
  const names = entries.map(({ key }) => key.slice(nodes.length));
  if (names.length > 0) throw new MovingError(`servers of the cluster run: ${names.join(', ')}; stop all servers`);
}

/** What a planned stop has saved goes back where it was if it does not get to the other side. */
async function moveContents(
  source: Ledger,
  report: LedgerReport,
  write: (contents: LedgerContents) => Promise<void>,
): Promise<void> {
  const contents = await takeContents(source, report);
  try {
    await write(contents);
  } catch (error) {
    if (contents.stop !== undefined) await source.savedStop.save(contents.stop);
    throw error;
  }
}

/** Synced, so that a power cut does not bring the files back. */
async function putAside(directory: string): Promise<void> {
  for (const file of FILES) {
    const path = join(directory, file);
    if (existsSync(path)) await rename(path, `${path}.moved`);
  }
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function deleteKeys({ client, prefix, directory }: MovingOptions, { key, epoch }: LeaderKey): Promise<void> {
  try {
    const compare = [{ key, createRevision: epoch }];
    const { succeeded } = await client.txn({ compare, success: [{ kind: 'delete', key: prefix, isPrefix: true }] });
    if (!succeeded) throw new EtcdError('failed', 'another server leads');
  } catch (error) {
    const why = (error as Error).message;
    throw new MovingError(
      `${directory} is written, but etcd may still have the keys below ${prefix}: ${why}; if it has, delete the directory and start again`,
    );
  }
}
