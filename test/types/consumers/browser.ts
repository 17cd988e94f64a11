/** Correct code of a page. */

import {
  type BrowserClientOptions,
  type ClientState,
  dialWebSocket,
  LockClient,
  LockClosedError,
  LockError,
  type LockHandle,
  LockLostError,
  MessageClient,
  MessageError,
  type WebLockManager,
  type WebLockSnapshot,
  type WebSocketClass,
} from 'holdfast/browser';

const options: BrowserClientOptions = { url: 'wss://locks.example', name: document.title, whileDisconnected: 'fail' };
const classOfBrowsers: WebSocketClass = WebSocket;

export async function takeLocks(button: HTMLButtonElement): Promise<void> {
  const lazy = new LockClient({ url: new URL('/locks', location.href), WebSocket: classOfBrowsers });
  const state: ClientState = lazy.state;
  await using client = await LockClient.connect(options);
  client.on('connect', () => button.removeAttribute('disabled'));
  const leaving = new AbortController();
  addEventListener('pagehide', () => leaving.abort());
  const handle: LockHandle = await client.lock('jobs', { signal: leaving.signal });
  handle.signal.addEventListener('abort', () => button.setAttribute('disabled', state));
  const tried = await client.tryLock('others', { mode: 'shared' });
  const response: Response = await client.locked('fetched', ({ signal, token }) => fetch(`/?${token}`, { signal }));
  console.log(response.ok, tried?.token);
  for await (const { lockName } of client.events()) console.log(lockName);
}

/** Code that was written for `navigator.locks`. */
export async function useStandard(locks: LockManager): Promise<number | undefined> {
  const { held, pending } = await locks.query();
  const value: string = await locks.request('jobs', { mode: 'shared' }, async (lock) => `${lock?.name} ${lock?.mode}`);
  console.log(value, pending?.length);
  return held?.length;
}

export async function useOurs(client: LockClient, signal: AbortSignal): Promise<number> {
  const own: WebLockManager = client.locks;
  const both: LockManager[] = [navigator.locks, own];
  for (const each of both) await useStandard(each);
  const options: LockOptions = { mode: 'shared', signal };
  const granted: Lock | null = await own.request('jobs', options, (lock) => lock);
  const snapshot: WebLockSnapshot = await own.query();
  const known: LockManagerSnapshot = snapshot;
  console.log(granted?.mode, known.held, snapshot.pending[0]?.clientId.length);
  const counts = both.map((locks) => locks.request('jobs', async () => 1));
  return await own.request('jobs', () => counts.length);
}

export function explain(error: unknown): string {
  if (error instanceof LockLostError) return error.lockName;
  if (error instanceof LockClosedError || error instanceof LockError) return error.code;
  return error instanceof MessageError ? error.code : String(error);
}

export async function call(): Promise<string> {
  const client = new MessageClient({ maxMessageBytes: 1_000 });
  await client.connect(dialWebSocket({ url: 'ws://localhost' }), { connectTimeoutMs: 1_000 });
  return (await client.rpc('ping')).status;
}
