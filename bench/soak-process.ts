/** One process of the soak: flows that take locks in random ways through a few clients, whose connections it cuts. */

import { getEventListeners, setMaxListeners } from 'node:events';
import { appendFileSync, closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type ByteStream,
  dialTcp,
  LockClient,
  LockError,
  type LockHandle,
  LockLostError,
  type LockOptions,
  MessageError,
} from 'holdfast';

/** The hold of a visitor. */
export interface Entry {
  readonly mode: 'exclusive' | 'shared' | 'permit';
  /** Of a permit: how many visitors there may be at most. */
  readonly limit: number;
  readonly token: number;
}

/** One guarded folder. */
class SoakResource {
  readonly #folder: string;
  readonly #tokens: string;

  /** Whether there is such a process. */
  static isAlive(this: void, pid: number): boolean {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  constructor(folder: string, name: string) {
    this.#folder = join(folder, name);
    this.#tokens = join(folder, `${name}.tokens`);
    mkdirSync(this.#folder, { recursive: true });
    closeSync(openSync(this.#tokens, 'a'));
  }

  /** Enters, and returns the violation if there is one. It is synchronous, so nothing else of this process comes in between. */
  enter(flow: string, entry: Entry): string | undefined {
    const file = this.#file(flow, entry);
    closeSync(openSync(join(this.#folder, file), 'wx'));
    const others = this.#present().filter((other) => other !== file);
    return this.#conflict(file, others, entry) ?? (entry.mode === 'exclusive' ? this.#fence(entry.token) : undefined);
  }

  leave(flow: string, entry: Entry): void {
    rmSync(join(this.#folder, this.#file(flow, entry)));
  }

  #file(flow: string, { mode, token }: Entry): string {
    return `${mode}-${process.pid}-${flow}-${token}`;
  }

  /** The files of living processes. Removes the others. */
  #present(): string[] {
    return readdirSync(this.#folder).filter((file) => {
      if (SoakResource.isAlive(Number(file.split('-')[1]))) return true;
      rmSync(join(this.#folder, file), { force: true });
      return false;
    });
  }

  #conflict(file: string, others: readonly string[], { mode, limit }: Entry): string | undefined {
    const of = (wanted: string): string[] => others.filter((other) => other.startsWith(`${wanted}-`));
    const inside = `inside with ${file}`;
    if (mode === 'permit') {
      const permits = of('permit');
      return permits.length < limit ? undefined : `${permits.join(', ')} ${inside}, limit ${limit}`;
    }
    const against = mode === 'exclusive' ? [...of('exclusive'), ...of('shared')] : of('exclusive');
    return against.length === 0 ? undefined : `${against.join(', ')} ${inside}`;
  }

  /** Tokens must grow: a smaller one belongs to a holder that lost the lock. */
  #fence(token: number): string | undefined {
    const tokens = readFileSync(this.#tokens, 'latin1');
    const last = Number(tokens.slice(tokens.lastIndexOf('\n', tokens.length - 2) + 1) || 0);
    appendFileSync(this.#tokens, `${token}\n`);
    return token > last ? undefined : `token ${token} came after ${last} in ${this.#folder}`;
  }
}

/** A report of violations, and of how often each thing was done since the last one. */
export interface SoakReport {
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** A visit to a resource, until it ends or its connection is cut. */
interface Visit {
  readonly client: SoakClient;
  leave(): void;
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const PERMIT_NAMES = ['p', 'q'];
const PERMIT_LIMIT = 3;
const CLIENTS = 5;
const LONGEST_WAIT_MS = 400;
const LONGEST_HOLD_MS = 3;
/** Long enough for deadlocks to come about, but they do not keep the locks from others for long. */
const LONGEST_NESTED_WAIT_MS = 15;
const LONGEST_TIME_TO_ABORT_MS = 60;
const LEASE_MS = 5_000;
const CUT_EVERY_MS = 150;
const REPORT_EVERY_MS = 250;
/** A process that was killed is gone by then. */
const DEATH_MS = 2_000;
const EXPECTED_CODES = ['unreachable', 'timeout', 'deadlock', 'closed'];

/** A client whose connection can be cut. */
class SoakClient {
  readonly client: LockClient;
  readonly visits = new Set<Visit>();
  #stream: ByteStream | undefined;

  constructor(port: number) {
    const dial = dialTcp({ host: '127.0.0.1', port });
    this.client = new LockClient({
      reconnect: { minDelayMs: 5, maxDelayMs: 100 },
      dial: async (signal) => {
        this.#stream = await dial(signal);
        return this.#stream;
      },
    });
  }

  /** All its visits end first, because the server lets others in as soon as it sees the end of the connection. */
  cut(): void {
    for (const visit of this.visits) visit.leave();
    this.#stream?.destroy();
  }
}

const [port, folder, flowCount] = [Number(process.argv[2]), process.argv[3] as string, Number(process.argv[4])];
const clients = Array.from({ length: CLIENTS }, () => new SoakClient(port));
const resources = new Map([...NAMES, ...PERMIT_NAMES].map((name) => [name, new SoakResource(folder, name)]));
/** Passed to many calls: a listener that they leave on it is a leak. */
const lasting = new AbortController();
// Each flow may have one listener.
setMaxListeners(0, lasting.signal);
let isFinishing = false;
let violations: string[] = [];
let counts: Record<string, number> = {};

function count(what: string): void {
  counts[what] = (counts[what] ?? 0) + 1;
}

function oneOf<Value>(values: readonly Value[]): Value {
  return values[Math.floor(Math.random() * values.length)] as Value;
}

function chance(share: number): boolean {
  return Math.random() < share;
}

/** Visits the guarded resource for a moment. */
async function visit(client: SoakClient, flow: string, handle: LockHandle): Promise<void> {
  if (!handle.isHeld) return;
  const resource = resources.get(handle.name) as SoakResource;
  const entry: Entry = { mode: handle.mode, limit: PERMIT_LIMIT, token: handle.token };
  let isInside = true;
  const inside: Visit = {
    client,
    leave: () => {
      if (isInside) resource.leave(flow, entry);
      isInside = false;
      client.visits.delete(inside);
    },
  };
  client.visits.add(inside);
  handle.signal.addEventListener('abort', inside.leave, { once: true });
  await judge(resource.enter(flow, entry));
  await pause(Math.random() * LONGEST_HOLD_MS);
  inside.leave();
  count(handle.mode);
}

/** The other visitor may be a process that was killed and is not quite gone. */
async function judge(conflict: string | undefined): Promise<void> {
  if (conflict === undefined) return;
  const others = [...conflict.matchAll(/(?:exclusive|shared|permit)-(\d+)-/g)].map(([, pid]) => Number(pid));
  await pause(others.length > 1 ? DEATH_MS : 0);
  if (others.every(SoakResource.isAlive)) violations.push(conflict);
  else count('met a dying one');
}

function randomOptions(signal: AbortSignal): { readonly name: string; readonly options: LockOptions } {
  const common = {
    signal,
    waitMs: Math.random() * LONGEST_WAIT_MS,
    ...(chance(0.2) ? { leaseMs: LEASE_MS } : {}),
    ...(chance(0.1) ? { owner: `owner ${Math.floor(Math.random() * 3)}` } : {}),
  };
  if (chance(0.25)) return { name: oneOf(PERMIT_NAMES), options: { ...common, mode: 'permit', limit: PERMIT_LIMIT } };
  return { name: oneOf(NAMES), options: { ...common, mode: chance(0.5) ? 'shared' : 'exclusive' } };
}

async function takeOne(soak: SoakClient, flow: string, signal: AbortSignal): Promise<void> {
  const { name, options } = randomOptions(signal);
  await using handle = await soak.client.lock(name, options);
  await visit(soak, flow, handle);
}

async function tryOne(soak: SoakClient, flow: string, signal: AbortSignal): Promise<void> {
  const { name, options } = randomOptions(signal);
  const { waitMs: _, ...rest } = options;
  const handle = await soak.client.tryLock(name, rest);
  if (handle === null) return;
  await visit(soak, flow, handle);
  await handle.release();
}

async function runLocked(soak: SoakClient, flow: string, signal: AbortSignal): Promise<void> {
  const { name, options } = randomOptions(signal);
  await soak.client.locked(name, (handle) => visit(soak, flow, handle), options);
}

/** Two flows with the same locks in opposite order deadlock, and the server refuses one of them. */
async function takeNested(soak: SoakClient, flow: string, signal: AbortSignal): Promise<void> {
  const [first, second] = [oneOf(NAMES), oneOf(NAMES)];
  await using outer = await soak.client.lock(first, { signal, waitMs: LONGEST_WAIT_MS });
  await using inner = await outer.lock(second, { signal, waitMs: LONGEST_NESTED_WAIT_MS });
  await visit(soak, flow, inner);
}

async function takeSeveral(soak: SoakClient, flow: string, signal: AbortSignal): Promise<void> {
  const names = new Set([oneOf(NAMES), oneOf(NAMES), oneOf(NAMES)]);
  const items = [...names].map((name) => ({ name, mode: chance(0.5) ? ('shared' as const) : ('exclusive' as const) }));
  await using set = await soak.client.lockAll(items, { signal, waitMs: Math.random() * LONGEST_WAIT_MS });
  await Promise.all(set.handles.map((handle) => visit(soak, flow, handle)));
}

const WAYS = [takeOne, takeOne, takeOne, tryOne, runLocked, runLocked, takeNested, takeSeveral];

/** Waits that ended and locks lost with a cut connection are expected. */
function isExpected(error: unknown, signal: AbortSignal): boolean {
  if (signal.aborted && error === signal.reason) return true;
  if (error instanceof LockLostError) return error.code === 'connectionLost' || error.code === 'leaseOver';
  if (error instanceof MessageError) return error.code === 'connectionLost';
  return error instanceof LockError && EXPECTED_CODES.includes(error.code);
}

async function flow(index: number): Promise<void> {
  for (let round = 0; !isFinishing; round += 1) {
    const abort = new AbortController();
    const timer = chance(0.3) ? setTimeout(() => abort.abort(), Math.random() * LONGEST_TIME_TO_ABORT_MS) : undefined;
    const { signal } = timer === undefined ? lasting : abort;
    try {
      await oneOf(WAYS)(oneOf(clients), `${index}.${round}`, signal);
    } catch (error) {
      if (!isExpected(error, signal)) violations.push(`unexpected: ${(error as Error).stack ?? error}`);
      count(signal.aborted ? 'aborted' : `error ${(error as { readonly code?: string }).code}`);
    }
    clearTimeout(timer);
  }
}

function report(): void {
  process.send?.({ violations, counts } satisfies SoakReport);
  violations = [];
  counts = {};
}

/** Looks for remains of the closed clients in this process. */
function findLeaks(): string[] {
  const leaks: string[] = [];
  const listeners = getEventListeners(lasting.signal, 'abort').length;
  if (listeners > 0) leaks.push(`${listeners} listeners are left on a signal`);
  const resourcesLeft = process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout|Immediate/.test(kind));
  if (resourcesLeft.length > 0) leaks.push(`left in the process: ${resourcesLeft.join(', ')}`);
  return leaks;
}

process.on('unhandledRejection', (error) => violations.push(`unhandled: ${(error as Error).stack ?? error}`));
const cutting = setInterval(() => {
  oneOf(clients).cut();
  count('cuts');
}, CUT_EVERY_MS);
const reporting = setInterval(report, REPORT_EVERY_MS);
const finished = new Promise<void>((resolve) => {
  process.once('message', () => resolve());
});
const flows = Array.from({ length: flowCount }, (_, index) => flow(index));
await finished;
isFinishing = true;
await Promise.all(flows);
clearInterval(cutting);
clearInterval(reporting);
await Promise.all(clients.map(({ client }) => client.close()));
violations.push(...findLeaks());
report();
process.disconnect();
