/** A client process of the chaos run: flows that take locks in random ways, and tell when the client was sure of which. */

import { setTimeout as pause } from 'node:timers/promises';
import { LockClient, type LockHandle, type LockItem, type LockMode, type LockOptions } from 'holdfast';
import { type ClientArguments, type ClientEvent, type ClientOrder, LONE_NAMES, makeRandom, nowMs } from './messages.ts';

const NAMES = ['a', 'b', 'c', ...LONE_NAMES];
const PERMIT_LIMIT = 2;
const PERMIT: LockItem = { name: 'p', mode: 'permit', limit: PERMIT_LIMIT };
const FLOWS = 5;
const BEAT_MS = 25;
const LONGEST_WAIT_MS = 3_000;
const LONGEST_HOLD_MS = 150;
const LONGEST_LONG_HOLD_MS = 2_500;
const LEASE_MS = 3_000;
const REST_MS = 60;

const { place, seed, session, isFresh, requestTimeoutMs, patienceMs } = JSON.parse(
  process.argv[2] as string,
) as ClientArguments;
const random = makeRandom(seed);
const lasting = isFresh ? undefined : makeClient();
const held = new Map<number, LockHandle>();
let events: ClientEvent[] = [];
let lastNumber = 0;
let isFinishing = false;

function chance(share: number): boolean {
  return random() < share;
}

function oneOf<Value>(values: readonly Value[]): Value {
  return values[Math.floor(random() * values.length)] as Value;
}

function makeClient(): LockClient {
  const client = new LockClient({
    ...place,
    session,
    requestTimeoutMs,
    connectTimeoutMs: 1_000,
    reconnect: { minDelayMs: 20, maxDelayMs: 250 },
  });
  // Of several clients nobody could say whose holds that is about.
  if (isFresh) return client;
  client.on('disconnect', () => events.push({ kind: 'connection', at: nowMs(), change: 'lost' }));
  client.on('resume', () => events.push({ kind: 'connection', at: nowMs(), change: 'resumed' }));
  return client;
}

/** Tells what happened, and of which holds the client was sure at a time before it was asked. */
function beat(): void {
  const at = nowMs();
  const sure = [...held].filter(([, { isHeld }]) => isHeld).map(([hold]) => hold);
  if (sure.length > 0) events.push({ kind: 'sure', holds: sure, at });
  if (events.length > 0) process.send?.(events);
  events = [];
}

/** Records a hold until `leave` is called. */
function enter(handle: LockHandle, leaseMs: number | undefined): { leave(): void } {
  lastNumber += 1;
  const hold = lastNumber;
  const at = nowMs();
  const { name, mode, token } = handle;
  events.push({ kind: 'granted', hold, at, name, mode, token, leaseMs });
  if (handle.isHeld) events.push({ kind: 'sure', holds: [hold], at });
  held.set(hold, handle);
  const lose = (): void => {
    if (!held.delete(hold)) return;
    events.push({ kind: 'lost', hold, at: nowMs(), code: (handle.signal.reason as { code: string }).code });
  };
  if (handle.signal.aborted) lose();
  handle.signal.addEventListener('abort', lose, { once: true });
  const leave = (): void => {
    const end = nowMs();
    if (handle.isHeld) events.push({ kind: 'sure', holds: [hold], at: end });
    handle.signal.removeEventListener('abort', lose);
    if (held.delete(hold)) events.push({ kind: 'released', hold, at: end });
  };
  return { leave };
}

/** Whether the server answers, as far as it is known within some time. */
async function isAnswered(client: LockClient): Promise<boolean> {
  if (client.state !== 'connected') return false;
  try {
    await client.rpc('ping', {}, { timeoutMs: patienceMs });
    return true;
  } catch {
    return false;
  }
}

async function visit(
  client: LockClient,
  guard: LockHandle | { readonly handles: readonly LockHandle[]; release(): Promise<boolean> },
  leaseMs?: number,
): Promise<void> {
  const handles = 'handles' in guard ? guard.handles : [guard];
  const visits = handles.map((handle) => enter(handle, leaseMs));
  const isLost = (): boolean => handles.some(({ signal }) => signal.aborted);
  await pause(random() * (chance(0.2) ? LONGEST_LONG_HOLD_MS : LONGEST_HOLD_MS));
  // The others may release without a connection: the next one tells the server.
  const endMs = nowMs() + (chance(0.3) ? 0 : patienceMs);
  while (!isLost() && nowMs() < endMs && !isFinishing && !(await isAnswered(client))) await pause(BEAT_MS);
  for (const each of visits) each.leave();
  await guard.release();
}

/** A request that is drawn, and not made yet. */
interface Request {
  /** The lock, when it is for one alone. */
  readonly lock?: { readonly name: string; readonly mode: LockMode };
  /** Resolves, once it is granted, to what uses it. */
  take(client: LockClient, waitMs: number): Promise<() => Promise<void>>;
}

function drawOne(): Request {
  const leaseMs = chance(0.2) ? LEASE_MS : undefined;
  if (chance(0.25)) return requestFor(PERMIT.name, { mode: 'permit', limit: PERMIT_LIMIT, leaseMs });
  return requestFor(oneOf(NAMES), { mode: chance(0.4) ? 'shared' : 'exclusive', leaseMs });
}

function requestFor(name: string, options: LockOptions & { readonly mode: LockMode }): Request {
  const take = async (client: LockClient, waitMs: number): Promise<() => Promise<void>> => {
    const handle = await client.lock(name, { ...options, waitMs });
    return () => visit(client, handle, options.leaseMs);
  };
  return { lock: { name, mode: options.mode }, take };
}

function drawSeveral(): Request {
  const [first, second] = chance(0.5) ? ['a', 'b'] : ['c', 'b'];
  const mode = chance(0.3) ? 'shared' : 'exclusive';
  const permit = chance(0.3) ? [PERMIT] : [];
  const items: LockItem[] = [{ name: first as string, mode }, { name: second as string, mode }, ...permit];
  const take = async (client: LockClient, waitMs: number): Promise<() => Promise<void>> => {
    const set = await client.lockAll(items, { waitMs });
    return () => visit(client, set);
  };
  return { take };
}

async function runOnce(client: LockClient): Promise<void> {
  lastNumber += 1;
  const call = lastNumber;
  const waitMs = Math.ceil(random() * LONGEST_WAIT_MS);
  const { lock, take } = chance(0.15) ? drawSeveral() : drawOne();
  events.push({ kind: 'call', call, at: nowMs(), waitMs, lock });
  const answered = (outcome: string): void => void events.push({ kind: 'answered', call, at: nowMs(), outcome });
  let use: () => Promise<void>;
  try {
    use = await take(client, waitMs);
  } catch (error) {
    answered((error as { readonly code?: string }).code ?? 'unknown');
    return;
  }
  answered('granted');
  await use();
}

async function runFlow(): Promise<void> {
  while (!isFinishing) {
    const client = lasting ?? makeClient();
    await runOnce(client);
    if (client !== lasting) await client.close();
    await pause(random() * REST_MS);
  }
}

async function finish(): Promise<void> {
  isFinishing = true;
  await Promise.all(flows);
  beat();
  await lasting?.close();
  process.disconnect();
  process.exit();
}

process.on('message', (message: ClientOrder) => {
  if (message.order === 'finish') void finish();
  else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message.ms);
});
process.on('disconnect', () => process.exit());
setInterval(beat, BEAT_MS);
const flows = Array.from({ length: FLOWS }, runFlow);
