/**
 * Shows what becomes of the locks of hosts that fall silent. Hosts of their own (network namespaces) hold locks for which
 * others wait: one is cut off while nothing is on its way to it, one while grants are; two more have their cable back in time;
 * the event loops of two are blocked, and one of these is cut off meanwhile, with a grant in its socket. All at once, in 70 seconds
 * with the default time-outs. Prints when the signals of the holders aborted and when others were granted, and ends with
 * code 1 when something is not as docs/guarantees.md promises. Only for root on Linux. The short form leaves out what takes
 * as long as TCP keep-alive.
 *
 *     npm run build && node dist/bench/vanished-hosts.js [--short]
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LockClient, type LockHandle } from 'holdfast';
import { ChaosServer } from './chaos/chaos-server.ts';
import { freePorts, kill, watched } from './chaos/children.ts';
import { ChaosHost, canMakeHosts } from './chaos/hosts.ts';
import { nowMs } from './chaos/messages.ts';
import { type FarArguments, type FarOrder, type FarReport, LONG_MS } from './far-messages.ts';
import { isShort, printTable, shown } from './program.ts';

const FAR = fileURLToPath(new URL('far-process.js', import.meta.url));
const MS_A_SECOND = 1_000;
/** What is promised for the default time-out. */
const FREE_WITHIN_MS = 30_000;
/** When nothing has happened until then, nothing will. */
const PATIENCE_MS = 90_000;

/** How long things take. The clients of a host ask the server at different times, so their locks are taken one after the other. */
const TIMES = isShort
  ? { timeoutMs: 4_000, apartMs: 100, cutMs: 300, untilSureMs: 5_000, blockMs: 6_000 }
  : { timeoutMs: undefined, apartMs: 1_000, cutMs: 10_000, untilSureMs: 35_000, blockMs: 60_000 };
const CLIENTS_A_HOST = 5;
/** When the blocked host gets its grant, when it is cut off, and how long before the end of the block its cable is back. */
const GRANT_AFTER_MS = 1_000;
const CUT_AFTER_MS = 2_000;
const BACK_BEFORE_END_MS = 10_000;

const problems: string[] = [];

function check(isRight: boolean, problem: string): void {
  if (!isRight) problems.push(problem);
}

type ReportOf<Kind extends FarReport['kind']> = Extract<FarReport, { readonly kind: Kind }>;

/** A host, and the process on it. */
class FarProcess {
  readonly host: ChaosHost;
  readonly #child: ChildProcess;
  readonly #reports = new Map<string, FarReport>();

  constructor(host: ChaosHost, port: number) {
    this.host = host;
    const place: FarArguments = { host: host.nearAddress, port, timeoutMs: TIMES.timeoutMs };
    const [program = '', ...args] = [...host.command, process.execPath, FAR, JSON.stringify(place)];
    this.#child = watched(spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
    this.#child.on('message', (report: FarReport) => this.#reports.set(`${report.kind} ${report.name}`, report));
  }

  order(order: FarOrder): void {
    this.#child.send(order);
  }

  /** What it has told so far. */
  told<Kind extends FarReport['kind']>(kind: Kind, name: string): ReportOf<Kind> | undefined {
    return this.#reports.get(`${kind} ${name}`) as ReportOf<Kind> | undefined;
  }

  /** Resolves when it tells that. */
  async tells<Kind extends FarReport['kind']>(kind: Kind, name: string): Promise<ReportOf<Kind>> {
    return await awaited(`${kind}: ${name}`, () => this.told(kind, name));
  }

  async remove(): Promise<void> {
    await kill(this.#child);
    this.host.remove();
  }
}

/** Resolves to what is found, once there is something. */
async function awaited<Found>(
  what: string,
  find: () => Found | undefined | Promise<Found | undefined>,
): Promise<Found> {
  const endMs = nowMs() + PATIENCE_MS;
  for (;;) {
    const found = await find();
    if (found !== undefined) return found;
    if (nowMs() > endMs) throw new Error(`nobody told within ${PATIENCE_MS / MS_A_SECOND} s: ${what}`);
    await pause(5);
  }
}

/** A lock that a far client holds. */
interface FarLock {
  readonly name: string;
  /** Another lock, for which the same client waits. */
  readonly next: string;
  readonly token: number;
  /** That of the one who waits for the lock, once it is granted. */
  granted: { readonly atMs: number; readonly token: number } | undefined;
}

/** Each on a host of its own. */
const SHOWS: readonly ((far: FarProcess) => Promise<Shown>)[] = [
  (far) => showBack(far, 'back in time, idle', false),
  (far) => showBack(far, 'back in time, output on its way', true),
  (far) => showBlocked(far, 'blocked'),
];
const LONG_SHOWS: typeof SHOWS = [
  (far) => showCut(far, 'cut off, idle', false),
  (far) => showCut(far, 'cut off, output on its way', true),
  (far) => showBlockedAndCut(far, 'blocked, cut off'),
];

if (!canMakeHosts()) {
  console.log('left out: only root on Linux can make hosts');
  process.exit();
}
const shows = isShort ? SHOWS : [...SHOWS, ...LONG_SHOWS];
const hosts = shows.map(() => new ChaosHost());
const [port = 0, proxiedPort = 0] = await freePorts(2);
const server = new ChaosServer({ port, proxiedPort, isDurable: false, hosts, hasDisk: false });
await server.start();
const near = await LockClient.connect({ port });

/** Has a far client take a lock, for which somebody near waits. Then it waits for the lock `next`, unless that is empty. */
async function takeFar(far: FarProcess, name: string, next: string): Promise<FarLock> {
  far.order({ order: 'take', name, awaited: next === '' ? undefined : next });
  const { token } = await far.tells('taken', name);
  const lock: FarLock = { name, next, token, granted: undefined };
  void near.lock(name, { waitMs: LONG_MS }).then(
    (handle) => {
      lock.granted = { atMs: nowMs(), token: handle.token };
    },
    // Where nothing is lost, it waits until this program ends.
    () => {},
  );
  await near.rpc('ping');
  return lock;
}

/** Takes a lock for each client of a host. With `hasOutput` each client waits for another lock, whose handle is returned. */
async function takeAll(far: FarProcess, label: string, hasOutput: boolean): Promise<[FarLock[], LockHandle[]]> {
  const locks: FarLock[] = [];
  const nextHandles: LockHandle[] = [];
  for (let index = 1; index <= CLIENTS_A_HOST; index += 1) {
    const next = hasOutput ? `${label} ${index}, next` : '';
    if (hasOutput) nextHandles.push(await near.lock(next));
    locks.push(await takeFar(far, `${label} ${index}`, next));
    await pause(TIMES.apartMs);
  }
  return [locks, nextHandles];
}

/** A row of the table, and what else is to be said. */
interface Shown {
  readonly row: readonly [host: string, aborted: string, granted: string];
  readonly note: string;
}

function span(values: readonly number[]): string {
  if (values.length === 0) return 'none';
  const [least, most] = [Math.min(...values), Math.max(...values)].map((ms) => shown(ms / MS_A_SECOND, 2));
  return `${least} to ${most} s`;
}

/** A host that does not come back. */
async function showCut(far: FarProcess, label: string, hasOutput: boolean): Promise<Shown> {
  const [locks, nextHandles] = await takeAll(far, label, hasOutput);
  const cutMs = nowMs();
  far.host.cut();
  for (const handle of nextHandles) await handle.release();
  const between: number[] = [];
  for (const lock of locks) {
    const { name, token } = lock;
    const grant = await awaited(`granted: ${name}`, () => lock.granted);
    const abort = await far.tells('aborted', name);
    between.push(grant.atMs - abort.atMs);
    check(abort.code === 'unconfirmed', `${name}: its signal aborted by ${abort.code}`);
    check(abort.atMs < grant.atMs, `${name}: another was granted it before the signal of its holder aborted`);
    check(grant.atMs - cutMs <= FREE_WITHIN_MS, `${name}: it was not free within ${FREE_WITHIN_MS} ms`);
    check(grant.token > token, `${name}: its token fell from ${token} to ${grant.token}`);
  }
  return { row: [label, ...changes(far, locks, cutMs)], note: `signals aborted ${span(between)} before the grants` };
}

/** A host whose cable is plugged again. */
async function showBack(far: FarProcess, label: string, hasOutput: boolean): Promise<Shown> {
  const [locks, nextHandles] = await takeAll(far, label, hasOutput);
  const cutMs = nowMs();
  far.host.cut();
  for (const handle of nextHandles) await handle.release();
  await pause(TIMES.cutMs);
  far.host.plug();
  const backMs = nowMs() - cutMs;
  const arrived: number[] = [];
  for (const { next } of locks) {
    if (next === '') continue;
    const { atMs, token } = await far.tells('granted', next);
    arrived.push(atMs - cutMs);
    check((await near.verify(next, token)) === 'current', `${next}: its token ${token} is not current`);
  }
  await pause(Math.max(0, cutMs + TIMES.untilSureMs - nowMs()));
  for (const lock of locks) await requireKept(far, lock);
  const note = `cable back after ${shown(backMs / MS_A_SECOND, 2)} s, grants arrived after: ${span(arrived)}`;
  return { row: [label, ...changes(far, locks, cutMs)], note };
}

/** After how long the signals of these locks aborted, and others were granted them. */
function changes(far: FarProcess, locks: readonly FarLock[], sinceMs: number): [string, string] {
  const aborted = locks.flatMap(({ name }) => far.told('aborted', name)?.atMs ?? []);
  const granted = locks.flatMap((lock) => lock.granted?.atMs ?? []);
  return [span(aborted.map((ms) => ms - sinceMs)), span(granted.map((ms) => ms - sinceMs))];
}

/** Nothing happened to the lock, neither as its holder sees it nor as the server does. */
async function requireKept(far: FarProcess, { name, token, granted }: FarLock): Promise<ReportOf<'checked'>> {
  if (far.told('checked', name) === undefined) far.order({ order: 'check', name });
  const checked = await far.tells('checked', name);
  const { isConfirmed, isAborted } = checked;
  check(isConfirmed, `${name}: its holder lost it`);
  check(!isAborted && far.told('aborted', name) === undefined, `${name}: the signal of its holder aborted`);
  check(granted === undefined, `${name}: another was granted it`);
  const { holders } = await near.inspect(name);
  check(holders.length === 1 && holders[0]?.token === token, `${name}: the server does not know token ${token}`);
  return checked;
}

/** Waits for the end of the block. Nothing may be sure at the first look, of which it returns a description. */
async function requireUnsure(far: FarProcess, name: string): Promise<string> {
  const { isHeld, code, atMs, sinceMs } = await far.tells('looked', name);
  check(!isHeld, `${name}: it counted as held at the first look`);
  check(code === 'unconfirmed', `${name}: throwIfLost() threw ${code} at the first look`);
  return `blocked for ${shown((atMs - sinceMs) / MS_A_SECOND, 2)} s, isHeld ${isHeld} at the first look`;
}

/** An event loop that is blocked, while the connection lives. */
async function showBlocked(far: FarProcess, label: string): Promise<Shown> {
  const lock = await takeFar(far, label, '');
  const blockedMs = nowMs();
  far.order({ order: 'block', ms: TIMES.blockMs });
  const looked = await requireUnsure(far, label);
  const { isConfirmed, confirmMs } = await requireKept(far, lock);
  const note = `${looked}, confirm() ${isConfirmed} after ${shown(confirmMs, 1)} ms`;
  return { row: [label, ...changes(far, [lock], blockedMs)], note };
}

/** An event loop that is blocked, on a host that is cut off meanwhile. A grant lies in the socket. */
async function showBlockedAndCut(far: FarProcess, label: string): Promise<Shown> {
  const next = `${label}, next`;
  const nextHandle = await near.lock(next);
  const lock = await takeFar(far, label, next);
  const blockedMs = nowMs();
  far.order({ order: 'block', ms: TIMES.blockMs });
  await pause(GRANT_AFTER_MS);
  await nextHandle.release();
  const stale = (await near.inspect(next)).holders[0]?.token;
  check(stale !== undefined, `${next}: it was not granted to the blocked client`);
  await pause(CUT_AFTER_MS - GRANT_AFTER_MS);
  const cutMs = nowMs();
  far.host.cut();
  const taken = await near.lock(next, { waitMs: LONG_MS });
  await awaited(`granted: ${label}`, () => lock.granted);
  await pause(Math.max(0, blockedMs + TIMES.blockMs - BACK_BEFORE_END_MS - nowMs()));
  far.host.plug();
  const looked = await requireUnsure(far, label);
  const { isConfirmed, confirmMs } = await far.tells('checked', label);
  check(!isConfirmed, `${label}: confirm() was true, though another has it`);
  await far.tells('aborted', label);
  // The call asks again behind its own session, in vain until this is released.
  await awaited(`waits again: ${next}`, async () => (await near.inspect(next)).waiterCount || undefined);
  check(far.told('granted', next) === undefined, `${next}: the grant ${stale} from the socket was handed out`);
  await taken.release();
  const { token } = await far.tells('granted', next);
  check(token > taken.token, `${next}: token ${token} is not above ${taken.token}`);
  check((await near.verify(next, token)) === 'current', `${next}: token ${token} is not current`);
  const grants = `the grant in the socket was ${stale}; handed out after ${taken.token} was released: ${token}`;
  const note = `${looked}, confirm() ${isConfirmed} after ${shown(confirmMs, 1)} ms; ${grants}`;
  return { row: [label, ...changes(far, [lock], cutMs)], note };
}

const running = shows.map(async (show, index) => {
  const far = new FarProcess(hosts[index] as ChaosHost, port);
  try {
    return await show(far);
  } finally {
    await far.remove();
  }
});
const results = await Promise.all(running);
const headings = ['host', 'signals aborted after', 'others granted after'];
printTable(
  headings,
  results.map(({ row }) => row),
);
console.log();
for (const { row, note } of results) console.log(`${row[0]}: ${note}`);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
await near.close();
await server.remove();
