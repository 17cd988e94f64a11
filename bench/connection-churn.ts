/**
 * Opens a new connection for every request, as PHP programs do: connect, lock, unlock, close, 50 at once, in pkLockServer's
 * framing. Prints how many a second, beside a bare server of Node's `net`, and the memory of the server before and after. Ends
 * with code 1 when the server keeps anything.
 *
 *     npm run build && node dist/bench/connection-churn.js [--short] [--times=100000]
 */

import { connect } from 'node:net';
import { LineClient } from './line-client.ts';
import { cpuMicroseconds, residentBytes } from './processes.ts';
import { isShort, median, numberGiven, printTable, shown } from './program.ts';
import { type ServerProcess, startFloor, startServer } from './servers.ts';

const TIMES = numberGiven('times') ?? (isShort ? 2_000 : 100_000);
const AT_ONCE = 50;
const ROUNDS = 5;
const WARM_UP = TIMES / 10;
const HEADER_BYTES = 4;
const BYTES_A_MEGABYTE = 1_048_576;

function frame(message: object): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
}

/** One request as a PHP program makes it. Resolves to the two replies when the connection is closed. */
function request(port: number, lockName: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const replies: string[] = [];
    let bytes: Buffer = Buffer.alloc(0);
    socket.once('connect', () => socket.write(frame({ command: 'lock', parameters: { lockName }, id: 1 })));
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < HEADER_BYTES || bytes.length < HEADER_BYTES + bytes.readUInt32BE()) return;
      replies.push(bytes.toString('utf8', HEADER_BYTES));
      bytes = Buffer.alloc(0);
      if (replies.length === 1) socket.write(frame({ command: 'unlock', lockName }));
      else socket.end();
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(replies));
  });
}

/** Makes that many requests and returns how many a second. Every tenth asks for a lock that others want, too. */
async function churn(port: number, times: number, check: (replies: readonly string[]) => void): Promise<number> {
  let started = 0;
  const startMs = performance.now();
  const run = async (): Promise<void> => {
    while (started < times) {
      started += 1;
      check(await request(port, started % 10 === 0 ? 'all' : `own-${started}`));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  return (times * 1_000) / (performance.now() - startMs);
}

function checkReplies([locked = 'nothing', unlocked = 'nothing']: readonly string[]): void {
  if (locked !== '{"id":1,"result":{"status":"ok"}}') throw new Error(`lock was answered ${locked}`);
  if (!unlocked.startsWith('{"attempted":"unlock","result":"ok",')) throw new Error(`unlock was answered ${unlocked}`);
}

async function checkNothingIsLeft(port: number): Promise<void> {
  const watcher = await LineClient.connect(port);
  let now = await watcher.statistics();
  // The last connections may be about to close.
  while ((now.get('connections') as number) > 1) now = await watcher.statistics();
  watcher.end();
  for (const key of ['locks', 'shared_locks', 'orphans', 'shared_orphans', 'invalid_commands']) {
    if (now.get(key) === 0) continue;
    console.error(`${key}: ${now.get(key)} instead of 0`);
    process.exitCode = 1;
  }
}

/** The rounds of one server: connections a second, and the microseconds of the server for each. */
interface Measured {
  readonly rates: number[];
  readonly costs: number[];
}

async function measure(): Promise<void> {
  const bare = await startFloor('frames');
  const server = await startServer();
  const memory = (): string => shown(residentBytes(server.pid) / BYTES_A_MEGABYTE, 1);
  const round = async (
    { pid, port }: ServerProcess,
    { rates, costs }: Measured,
    check: (replies: readonly string[]) => void,
  ): Promise<void> => {
    const before = cpuMicroseconds(pid);
    rates.push(await churn(port, TIMES / ROUNDS, check));
    costs.push((cpuMicroseconds(pid) - before) / (TIMES / ROUNDS));
  };

  const fresh = memory();
  await churn(bare.port, WARM_UP, () => {});
  await churn(server.port, WARM_UP, checkReplies);
  const warm = memory();
  const own: Measured = { rates: [], costs: [] };
  const floor: Measured = { rates: [], costs: [] };
  for (let index = 0; index < ROUNDS; index += 1) {
    await round(bare, floor, () => {});
    await round(server, own, checkReplies);
  }
  await checkNothingIsLeft(server.port);
  const after = memory();
  await server.stop();
  await bare.stop();

  console.log(`${TIMES} times connect, lock, unlock, close, ${AT_ONCE} at once, ${ROUNDS} rounds in turns, medians`);
  printTable(
    ['', 'connections/s', 'server us each'],
    [
      ['holdfast', shown(median(own.rates)), shown(median(own.costs), 1)],
      ['a bare server', shown(median(floor.rates)), shown(median(floor.costs), 1)],
      [
        'holdfast : bare server',
        shown(median(own.rates) / median(floor.rates), 2),
        shown(median(own.costs) / median(floor.costs), 2),
      ],
    ],
  );
  console.log(`memory of the server: ${fresh} MB at first, ${warm} MB after ${WARM_UP}, ${after} MB at the end`);
}

await measure();
