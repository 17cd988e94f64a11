/**
 * What it costs to look at a server with a million locks and 10,000 sessions: how long the status page, the metrics and the
 * command line take to answer, and how long a bystander waits meanwhile that locks and unlocks all the time. Then the share of
 * a core that open pages cost the server. Ends with code 1 when one has no answer or the bystander loses its lock.
 *
 *     npm run build && node dist/bench/operators.js [--short] [--locks=1000000] [--sessions=10000] [--records=100000]
 */

import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LockClient } from 'holdfast';
import { freePort } from '../test/support/free-port.ts';
import { Crowd } from './crowd.ts';
import { beBystander, type Seen } from './hostile-bystander.ts';
import { allowedOpenFiles, askChild, CORES, cpuMicroseconds, pinToCore, residentBytes } from './processes.ts';
import { isShort, numberGiven, printTable, shown } from './program.ts';
import { type LockServerProcess, startServer } from './servers.ts';

const LOCKS = numberGiven('locks') ?? (isShort ? 10_000 : 1_000_000);
const SESSIONS = numberGiven('sessions') ?? (isShort ? 100 : 10_000);
const RECORDS = numberGiven('records') ?? (isShort ? 1_000 : 100_000);
const WAITERS = isShort ? 10 : 1_000;
const PAGES = 3;
const PAGE_SECONDS = isShort ? 3 : 30;
const HOLDING_CONNECTIONS = 100;
/** As a quiet client with the default time-out does. */
const PING_MS = 5_000;
const AT_ONCE = 1_000;
const BYTES_A_MEBIBYTE = 2 ** 20;
/** How long the server rests before each question, so that the one before costs nothing any more. */
const REST_MS = isShort ? 50 : 2_000;
const PROGRAM = fileURLToPath(import.meta.url);
const HOLDFAST = fileURLToPath(new URL('../../bin/holdfast.js', import.meta.url));
const BYSTANDER = '--bystander';

/** The server, and the locks in it. */
interface Filled {
  readonly server: LockServerProcess;
  readonly url: string;
  readonly crowds: readonly Crowd[];
  readonly client: LockClient;
}

async function fill(): Promise<Filled> {
  const httpPort = await freePort();
  const server = await startServer({
    args: ['--http', String(httpPort)],
    openFiles: allowedOpenFiles(SESSIONS + 1_000),
    settings: {
      history: { everything: true, maxRecords: RECORDS },
      limits: { maxConnections: SESSIONS + 1_000, maxPendingRequests: 10_000 },
    },
  });
  pinToCore(server.pid, CORES.server);
  const [sessions, holders] = [Crowd.start(allowedOpenFiles(SESSIONS + 100)), Crowd.start(1_000)];
  await sessions.connect(server.port, SESSIONS);
  await sessions.keepSessions(PING_MS);
  await holders.connect(server.port, HOLDING_CONNECTIONS);
  await holders.hold(LOCKS - SESSIONS);
  const client = await LockClient.connect({ port: server.port, name: 'operator', maxPendingRequests: 10_000 });
  await remember(client);
  for (let index = 0; index < WAITERS; index += 1)
    client.lock(`held-${String(index).padStart(10, '0')}`, { waitMs: 3_600_000 }).catch(() => {});
  await client.rpc('ping');
  return { server, url: `http://127.0.0.1:${httpPort}`, crowds: [sessions, holders], client };
}

/** Fills the history: each hold becomes a record. */
async function remember(client: LockClient): Promise<void> {
  for (let count = 0; count < RECORDS; count += AT_ONCE) {
    const handles = await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => client.lock(`done-${index}`)));
    await Promise.all(handles.map((handle) => handle.release()));
  }
}

/** Resolves once the text of the answer has come, or a part of it that holds `until`. */
function fetchText(url: string, until?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get(url, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (until === undefined || !text.includes(until)) return;
        resolve(text.length);
        request.destroy();
      });
      response.on('end', () => (response.statusCode === 200 ? resolve(text.length) : reject(new Error(text))));
    });
    request.on('error', reject);
  });
}

async function command(port: number, ...args: readonly string[]): Promise<number> {
  const all = [HOLDFAST, ...args, '--server', `127.0.0.1:${port}`];
  const { stdout } = await promisify(execFile)(process.execPath, all, { maxBuffer: 2 ** 30 });
  return stdout.length;
}

/** What an operator asks; each resolves to the length of the answer. */
function questions({ server: { port }, url }: Filled): readonly (readonly [string, () => Promise<number>])[] {
  return [
    ['/metrics', () => fetchText(`${url}/metrics`)],
    ['/metrics again', () => fetchText(`${url}/metrics`)],
    ['the page and its first events', () => openPage(url)],
    ['/api/locks', () => fetchText(`${url}/api/locks`)],
    ['/api/history', () => fetchText(`${url}/api/history`)],
    ['holdfast ls', () => command(port, 'ls')],
    ['holdfast ls --sort age', () => command(port, 'ls', '--sort', 'age')],
    ['holdfast ls --sort waiters', () => command(port, 'ls', '--sort', 'waiters')],
    ['holdfast ls held-00000001', () => command(port, 'ls', 'held-00000001')],
    ['holdfast inspect', () => command(port, 'inspect', 'held-0000000000')],
    ['holdfast history', () => command(port, 'history', 'bystander')],
    ['holdfast why', () => command(port, 'why', 'operator')],
    ['holdfast stats', () => command(port, 'stats')],
    ['holdfast top --once', () => command(port, 'top', '--once')],
  ];
}

async function openPage(url: string): Promise<number> {
  const files = ['/', '/page.css', '/page.js', '/elements.js', '/views.js', '/plots.js', '/uplot.js', '/uplot.css'].map(
    (path) => fetchText(url + path),
  );
  return (await Promise.all([...files, fetchText(`${url}/api/events`, 'event: blocked')])).reduce((a, b) => a + b);
}

async function ask(
  { server }: Filled,
  name: string,
  question: () => Promise<number>,
): Promise<readonly [string, ...string[]]> {
  await pause(REST_MS);
  const bystander: ChildProcess = fork(PROGRAM, [BYSTANDER, `--port=${server.port}`, `--server=${server.pid}`]);
  await once(bystander, 'message');
  const startMs = performance.now();
  const length = await question();
  const tookMs = performance.now() - startMs;
  const { worstMs, worstOfServerMs, problem } = await askChild<Seen>(bystander, {});
  if (problem !== undefined) {
    console.error(`${name}: the bystander: ${problem}`);
    process.exitCode = 1;
  }
  return [name, shown(tookMs), shown(worstMs, 1), shown(worstOfServerMs, 1), shown(length / 1_000, 1)];
}

/** The share of a core that the server uses, in percent. */
async function busyPercent(pid: number): Promise<number> {
  const [startMs, before] = [performance.now(), cpuMicroseconds(pid)];
  await pause(PAGE_SECONDS * 1_000);
  return (cpuMicroseconds(pid) - before) / (performance.now() - startMs) / 10;
}

/** Keeps the events of open pages flowing, as browsers do, while the server is measured. */
async function measurePages({ server: { pid }, url }: Filled): Promise<void> {
  const without = await busyPercent(pid);
  const pages = await Promise.all(Array.from({ length: PAGES }, () => openEvents(url)));
  const open = await busyPercent(pid);
  for (const close of pages) close();
  console.log(`\nThe server uses ${shown(without, 1)} % of a core, and ${shown(open, 1)} % with ${PAGES} pages open`);
}

function openEvents(url: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const request = get(`${url}/api/events`, (response) => {
      response.resume().on('error', () => {});
      resolve(() => request.destroy());
    });
    request.on('error', reject);
  });
}

async function main(): Promise<void> {
  const filled = await fill();
  const { server, crowds, client } = filled;
  console.log(`${LOCKS} locks, ${SESSIONS} sessions, ${WAITERS} waiters, ${RECORDS} records in the history`);
  console.log(`The server has ${shown(residentBytes(server.pid) / BYTES_A_MEBIBYTE)} MiB\n`);
  const rows: (readonly string[])[] = [];
  rows.push(await ask(filled, 'nothing', () => pause(1_000, 0)));
  for (const [name, question] of questions(filled)) rows.push(await ask(filled, name, question));
  printTable(['asked', 'ms', 'bystander ms', 'of the server', 'kB'], rows);
  await measurePages(filled);
  await Promise.all(crowds.map((crowd) => crowd.stop()));
  await client.close();
  await server.stop();
}

if (process.argv.includes(BYSTANDER)) {
  const [port, serverPid] = [numberGiven('port'), numberGiven('server')] as [number, number];
  await beBystander({ port, serverPid, mayBeRefused: false });
} else {
  await main();
}
