/** Tells a person who waits for a lock who has it. */

import type { LockClient } from '../../../client/lock-client.ts';
import type { LockItem } from '../../../client/options.ts';
import type { LockInformation, LockMode } from '../../../protocol.ts';
import { showClient, showDuration, showName, showSince } from '../format.ts';

const NOTICE_AFTER_MS = 1_000;

/** Says one line when the wait takes a second. Returns a function that stops it. */
export function noticeWait(client: LockClient, items: readonly LockItem[], say: (line: string) => void): () => void {
  let isWaiting = true;
  const names = items.map(({ name }) => showName(name)).join(', ');
  const tell = async (): Promise<void> => {
    let line = `waiting for ${names}`;
    try {
      const { address } = await client.rpc('whoami');
      for (const { name, mode = 'exclusive' } of items) {
        const standing = describeStanding(await client.inspect(name), mode, String(address));
        if (standing === undefined) continue;
        line = items.length === 1 ? `${line}: ${standing}` : `${line}: ${showName(name)} is ${standing}`;
        break;
      }
    } catch {
      // The server may not tell, or may be gone.
    }
    if (isWaiting) say(line);
  };
  const timer = setTimeout(() => void tell(), NOTICE_AFTER_MS);
  return () => {
    isWaiting = false;
    clearTimeout(timer);
  };
}

/** Who has the lock and how many are ahead; undefined when nobody has it. */
export function describeStanding(
  { holders, waiters }: LockInformation,
  mode: LockMode,
  address: string,
): string | undefined {
  const isPermit = mode === 'permit';
  const [first, ...others] = holders.filter((holder) => (holder.mode === 'permit') === isPermit);
  if (first === undefined) return undefined;
  const since = `since ${showSince(first.heldMs)} (${showDuration(first.heldMs)})`;
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  const queue = waiters.filter((waiter) => (waiter.mode === 'permit') === isPermit);
  const own = queue.find((waiter) => waiter.address === address);
  const ahead = own === undefined ? `${queue.length} or more` : String(own.position - 1);
  return `held by ${showClient(first)}${more} ${since}; ${ahead} ahead`;
}
