/** `holdfast why`: the chain of who waits for whom. */

import type { LockClient } from '../../client/lock-client.ts';
import type { LockHolder, LockInformation, LockWaiter } from '../../protocol.ts';
import { HOLDFAST_CODES } from './exit-codes.ts';
import { showClient, showDuration, showName, showSince } from './format.ts';
import { ask, print, printJson, type QueryOptions } from './query.ts';

const PAGE = 1_000;
const MAX_DEPTH = 20;
const MAX_LINES = 200;

/** One who waits, and for which lock. */
interface Wait {
  readonly lock: LockInformation;
  readonly waiter: LockWaiter;
}

/** One step of the chain: somebody waits for a lock, and somebody has it. */
interface Step {
  readonly depth: number;
  readonly client: string;
  readonly address: string;
  readonly lockName: string;
  readonly waitedMs: number;
  readonly holders: readonly LockHolder[];
  /** A holder waits for a client that is in the chain already. */
  readonly isCircle: boolean;
}

/** Shows why a client waits, by its name or its address. Resolves to 1 when it does not wait. */
export async function why(subject: string, options: QueryOptions): Promise<number> {
  return await ask(options, async (client) => {
    const steps = stepsFrom(subject, await waitsOf(client));
    if (options.json === true) printJson(steps);
    // Not that it waits for nothing: nobody may have that name, since a client's own name often ends with its process id.
    else if (steps.length === 0) print(`${showName(subject)}: no client of that name or address waits\n`);
    else print(steps.map(describeStep).join(''));
    return steps.length === 0 ? HOLDFAST_CODES.nothing : HOLDFAST_CODES.ok;
  });
}

/** All who wait, by their addresses. */
async function waitsOf(client: LockClient): Promise<Map<string, Wait[]>> {
  const waits = new Map<string, Wait[]>();
  for await (const lock of client.listAll({ max: PAGE })) {
    for (const waiter of lock.waiters) {
      const others = waits.get(waiter.address);
      if (others === undefined) waits.set(waiter.address, [{ lock, waiter }]);
      else others.push({ lock, waiter });
    }
  }
  return waits;
}

/** Follows the waits of a client, then those of who is in its way, and so on. */
function stepsFrom(subject: string, waits: ReadonlyMap<string, readonly Wait[]>): readonly Step[] {
  const steps: Step[] = [];
  const follow = (address: string, path: readonly string[]): void => {
    for (const { lock, waiter } of waits.get(address) ?? []) {
      if (steps.length >= MAX_LINES || path.length >= MAX_DEPTH) return;
      const holders = lock.holders.filter((holder) => (holder.mode === 'permit') === (waiter.mode === 'permit'));
      const chain = [...path, address];
      const isCircle = holders.some((holder) => chain.includes(holder.address));
      const { lockName } = lock;
      steps.push({
        depth: path.length,
        client: showClient(waiter),
        address,
        lockName,
        waitedMs: waiter.waitedMs,
        holders,
        isCircle,
      });
      const next = new Set(holders.map((holder) => holder.address));
      for (const each of next) if (!chain.includes(each)) follow(each, chain);
    }
  };
  for (const [address, [first]] of waits) {
    if (address === subject || first?.waiter.name === subject) follow(address, []);
  }
  return steps;
}

function describeStep({ depth, client, lockName, waitedMs, holders, isCircle }: Step): string {
  const indent = '  '.repeat(depth);
  const lines = holders.map(
    (holder) =>
      `${indent}  held by ${showClient(holder)} since ${showSince(holder.heldMs)} (${showDuration(holder.heldMs)})\n`,
  );
  const circle = isCircle ? `${indent}  that closes a circle: none of them goes on before one gives up\n` : '';
  return `${indent}${client} waits for ${showName(lockName)} since ${showSince(waitedMs)} (${showDuration(waitedMs)})\n${lines.join('')}${circle}`;
}
