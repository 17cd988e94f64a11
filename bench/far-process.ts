/** A process on a host that may vanish: each of its clients holds a lock. It tells when it learns of what, and what it believes. */

import { LockClient, type LockHandle, LockLostError } from 'holdfast';
import { nowMs } from './chaos/messages.ts';
import { type FarArguments, type FarOrder, type FarReport, LONG_MS } from './far-messages.ts';

const { host, port, timeoutMs } = JSON.parse(process.argv[2] as string) as FarArguments;
const handles = new Map<string, LockHandle>();

function tell(report: FarReport): void {
  process.send?.(report);
}

async function take(name: string, awaited: string | undefined): Promise<void> {
  const client = await LockClient.connect({ host, port, session: { timeoutMs } });
  const handle = await client.lock(name);
  handles.set(name, handle);
  handle.signal.addEventListener('abort', () => {
    tell({ kind: 'aborted', name, atMs: nowMs(), code: handle.signal.reason.code });
  });
  if (awaited !== undefined) {
    const waiting = client.lock(awaited, { waitMs: LONG_MS });
    void waiting.then(({ token }) => tell({ kind: 'granted', name: awaited, atMs: nowMs(), token }));
    // Answered behind the request before it.
    await client.rpc('ping');
  }
  tell({ kind: 'taken', name, atMs: nowMs(), token: handle.token });
}

function look(name: string, handle: LockHandle, sinceMs: number): void {
  const { isHeld } = handle;
  let code = 'none';
  try {
    handle.throwIfLost();
  } catch (error) {
    code = error instanceof LockLostError ? error.code : String(error);
  }
  tell({ kind: 'looked', name, sinceMs, atMs: nowMs(), isHeld, code });
}

async function check(name: string): Promise<void> {
  const handle = handles.get(name) as LockHandle;
  const startMs = nowMs();
  const isConfirmed = await handle.confirm();
  const atMs = nowMs();
  tell({ kind: 'checked', name, atMs, isConfirmed, isAborted: handle.signal.aborted, confirmMs: atMs - startMs });
}

process.on('message', (message: FarOrder) => {
  if (message.order === 'take') void take(message.name, message.awaited);
  else if (message.order === 'check') void check(message.name);
  else {
    const sinceMs = nowMs();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message.ms);
    for (const [name, handle] of handles) look(name, handle, sinceMs);
    for (const name of handles.keys()) void check(name);
  }
});
process.on('disconnect', () => process.exit());
