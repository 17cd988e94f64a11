/** A client process of the chaos run that speaks the line protocol, as old clients do. It tells the same as one with sessions. */

import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { type ClientArguments, type ClientEvent, type ClientOrder, makeRandom, nowMs } from './messages.ts';

/** Nobody else takes these. */
const NAMES = ['line 1', 'line 2'];
const FLOWS = 4;
const BEAT_MS = 25;
const LONGEST_HOLD_MS = 400;
const REST_MS = 200;
const MICROSECONDS_A_MS = 1_000;

const { place, seed } = JSON.parse(process.argv[2] as string) as ClientArguments;
const random = makeRandom(seed);
/** Without a session, a hold is certain as long as its connection is open. */
const held = new Map<number, Socket>();
let events: ClientEvent[] = [];
let lastNumber = 0;
let isFinishing = false;

function beat(): void {
  const at = nowMs();
  const sure = [...held].filter(([, socket]) => isOpen(socket)).map(([hold]) => hold);
  if (sure.length > 0) events.push({ kind: 'sure', holds: sure, at });
  if (events.length > 0) process.send?.(events);
  events = [];
}

function isOpen(socket: Socket): boolean {
  return socket.readable && socket.writable;
}

/** Resolves to the answer; undefined when the connection ends before. */
async function ask(socket: Socket, lines: AsyncIterator<string>, line: string): Promise<string | undefined> {
  socket.write(`${line}\n`);
  try {
    return (await lines.next()).value as string | undefined;
  } catch {
    return undefined;
  }
}

/** Records a hold until `leave` is called, or its connection ends. */
function enter(socket: Socket, name: string): { leave(): void } {
  lastNumber += 1;
  const hold = lastNumber;
  const at = nowMs();
  // The protocol tells no tokens; nobody else counts those of these locks.
  const token = Math.floor(at * MICROSECONDS_A_MS);
  events.push({ kind: 'granted', hold, at, name, mode: 'exclusive', token, leaseMs: undefined });
  if (isOpen(socket)) events.push({ kind: 'sure', holds: [hold], at });
  held.set(hold, socket);
  const lose = (): void => {
    if (held.delete(hold)) events.push({ kind: 'lost', hold, at: nowMs(), code: 'connectionLost' });
  };
  for (const end of ['end', 'close'] as const) socket.once(end, lose);
  const leave = (): void => {
    for (const end of ['end', 'close'] as const) socket.off(end, lose);
    if (!held.delete(hold)) return;
    const endMs = nowMs();
    if (isOpen(socket)) events.push({ kind: 'sure', holds: [hold], at: endMs });
    events.push({ kind: 'released', hold, at: endMs });
  };
  return { leave };
}

/** Asks for a lock, which never waits, and holds it for a while. Resolves to whether the connection is open still. */
async function runOnce(socket: Socket, lines: AsyncIterator<string>): Promise<boolean> {
  lastNumber += 1;
  const call = lastNumber;
  const name = NAMES[Math.floor(random() * NAMES.length)] as string;
  events.push({ kind: 'call', call, at: nowMs(), waitMs: 0, lock: undefined });
  const answer = await ask(socket, lines, `g ${name}`);
  const isGranted = answer?.startsWith('1') === true;
  const outcome = isGranted ? 'granted' : 'timeout';
  events.push({ kind: 'answered', call, at: nowMs(), outcome: answer === undefined ? 'connectionLost' : outcome });
  if (!isGranted) return answer !== undefined;
  const { leave } = enter(socket, name);
  await pause(random() * LONGEST_HOLD_MS);
  leave();
  return (await ask(socket, lines, `r ${name}`)) !== undefined;
}

/** Uses one connection until it ends. */
async function runConnection(): Promise<void> {
  const socket = connect({ host: place.host as string, port: place.port as number });
  socket.on('error', () => {});
  const reader = createInterface({ input: socket });
  // After a reset it would wait for ever.
  socket.once('close', () => reader.close());
  const lines = reader[Symbol.asyncIterator]();
  while (isOpen(socket) || socket.connecting) {
    if (isFinishing || !(await runOnce(socket, lines))) break;
    await pause(random() * REST_MS);
  }
  socket.destroy();
}

async function runFlow(): Promise<void> {
  while (!isFinishing) {
    await runConnection();
    await pause(random() * REST_MS);
  }
}

async function finish(): Promise<void> {
  isFinishing = true;
  await Promise.all(flows);
  beat();
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
