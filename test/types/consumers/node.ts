/** Correct code of a program for Node. */

import {
  dialTcp,
  dialWebSocket,
  LockClient,
  type LockClientOptions,
  LockError,
  type LockErrorCode,
  type LockHandle,
  LockLostError,
  type LockMode,
  type LockOptions,
  LockServer,
  type LockSet,
  LockTimeoutError,
  MessageClient,
  type RpcResult,
  tcp,
  webSocket,
} from 'holdfast';

const options: LockClientOptions = { host: '127.0.0.1', port: 20_934, name: 'reports', reconnect: false };
const here = { host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] };

export async function serve(): Promise<void> {
  const server = new LockServer();
  const address: string = await server.listen(tcp(here));
  await server.listen(webSocket({ ...here, origins: [], hosts: [], maxMessageBytes: 1_000 }));
  console.log(address);
  await server.close();
}

export async function takeLocks(): Promise<number> {
  await using client = await LockClient.connect(options);
  client.on('disconnect', (error) => console.log(error?.message));
  client.once('event', ({ event }) => console.log(event.length));
  await using handle = await client.lock('jobs', { mode: 'permit', limit: 3, waitMs: 5_000, leaseMs: 10_000 });
  const mode: LockMode = handle.mode;
  const signal: AbortSignal = handle.signal;
  await client.lock('a', { mode: 'shared', owner: 'me', stealable: true, signal });
  await client.lock('b', { steal: true });
  await client.lock('b', { mode: 'exclusive', steal: true, waitMs: undefined });
  await handle.lock('c', { waitMs: 1, mode });

  const tried = await client.tryLock('d', { leaseMs: 1_000 });
  if (tried !== null) await tried.release();
  const released: boolean | undefined = await tried?.release();

  const answer: number = await client.locked('e', async ({ token }) => token + Number(released));
  const text: string = await handle.locked('f', () => 'text');
  const outcome = await client.tryLocked('g', () => ({ text }));
  if (outcome.ran) console.log(outcome.value.text);
  await using set: LockSet = await client.lockAll(['h', { name: 'i', mode: 'permit', limit: 1 }], { waitMs: 10 });
  const [first] = set.handles;
  const entered: LockHandle | undefined = first;
  for await (const term of client.terms('leader', { signal })) console.log(term.token, entered?.token);
  for await (const { event } of client.events()) console.log(event);
  for await (const { holders } of client.listAll({ prefix: 'x' })) console.log(holders.length);
  return answer;
}

/** Every mode as a value, too. */
export function optionsOf(mode: 'exclusive' | 'shared', waitMs: number | undefined): LockOptions {
  return { mode, waitMs };
}

export function explain(error: unknown): LockErrorCode | undefined {
  if (error instanceof LockTimeoutError) return error.holders.length > 0 ? 'timeout' : undefined;
  if (error instanceof LockLostError) {
    const code: 'connectionLost' | 'unconfirmed' | 'closed' | 'leaseOver' | 'forced' | 'stolen' = error.code;
    return code;
  }
  return error instanceof LockError && error.code === 'denied' ? error.code : undefined;
}

export async function call(): Promise<RpcResult> {
  const client = new MessageClient();
  await client.connect(dialTcp({ host: '127.0.0.1', port: 1 }));
  await client.connect(dialWebSocket({ url: new URL('wss://locks.example'), tls: { ca: '' } }));
  return await client.rpc('ping', {}, { timeoutMs: 5 });
}
