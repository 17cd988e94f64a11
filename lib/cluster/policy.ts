/** The settings that all nodes of a cluster must share: a fail-over may not change the rules. */

import { isDeepStrictEqual } from 'node:util';
import type { EtcdClient } from '../ledger/etcd/etcd-client.ts';
import { show } from '../message/show.ts';

/** Settings by their names, as people know them: `limits.maxLocks`. */
export type Policy = Readonly<Record<string, unknown>>;

/** The settings of this node are not those of the cluster. */
export class PolicyError extends Error {
  override readonly name: string = 'PolicyError';
}

/** The policy as etcd has it. */
export interface AgreedPolicy {
  readonly key: string;
  readonly value: string;
  /** In which it was written last. */
  readonly revision: number;
}

const MAX_SHOWN = 5;

/**
 * Makes this node's policy that of the cluster if it has none, or if no other node is there. Resolves to what etcd has then. Rejects
 * with a `PolicyError` that names the differences, or with an `EtcdError`.
 */
export async function agreeOnPolicy(
  client: EtcdClient,
  prefix: string,
  node: string,
  policy: Policy,
): Promise<AgreedPolicy> {
  const key = `${prefix}policy`;
  const value = JSON.stringify(policy);
  for (;;) {
    const [entry] = (await client.range(key)).entries;
    const differences = entry === undefined ? undefined : findDifferences(policy, parse(entry.value));
    if (entry !== undefined && differences?.length === 0)
      return { key, value: entry.value, revision: entry.modRevision };
    if (differences !== undefined && (await hasOthers(client, prefix, node)))
      throw new PolicyError(describe(differences));
    const compare = [{ key, modRevision: entry?.modRevision ?? 0 }];
    // Otherwise another node was faster, so look again.
    const { succeeded, revision } = await client.txn({ compare, success: [{ kind: 'put', key, value }] });
    if (succeeded) return { key, value, revision };
  }
}

async function hasOthers(client: EtcdClient, prefix: string, node: string): Promise<boolean> {
  const { entries } = await client.range(`${prefix}nodes/`, { isPrefix: true });
  return entries.some(({ key }) => key !== `${prefix}nodes/${node}`);
}

function parse(value: string): Policy {
  try {
    return JSON.parse(value) as Policy;
  } catch {
    return {};
  }
}

/** Sentences such as "limits.maxLocks is 5 here and 2000000 there". */
function findDifferences(here: Policy, there: Policy): string[] {
  const names = [...new Set([...Object.keys(here), ...Object.keys(there)])];
  return names
    .filter((name) => !isDeepStrictEqual(here[name], there[name]))
    .map((name) => `settings.${name} is ${show(here[name])} here and ${show(there[name])} there`);
}

function describe(differences: readonly string[]): string {
  const left = differences.length - MAX_SHOWN;
  const shown = differences.slice(0, MAX_SHOWN).join('; ');
  const rest = left > 0 ? `; and ${left} more` : '';
  return `the settings differ from those of the cluster: ${shown}${rest}; expected the same, or a start while no other node runs`;
}
