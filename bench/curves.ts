/**
 * Measures the server's processor time for a lock beside 1 to 1,000,000 other locks, with 1 to 10,000 waiters and beside 1 to
 * 10,000 idle connections. Ends with code 1 when a reply was wrong.
 *
 *     npm run build && node dist/bench/curves.js [--short] [--passes=2] [--connections=20000] [--svg=docs/scale.svg]
 */

import { writeFileSync } from 'node:fs';
import { Crowd } from './crowd.ts';
import { LoadGenerator, type LoadTarget } from './load-generator.ts';
import { allowedOpenFiles, CORES, pinToCore } from './processes.ts';
import { isShort, numberGiven, printTable, shown, textGiven } from './program.ts';
import { type ServerProcess, startServer } from './servers.ts';

const LOCKS = isShort ? [1, 100, 10_000] : [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
const WAITERS = isShort ? [1, 100] : [1, 10, 100, 1_000, 10_000];
const IDLE = isShort ? [1, 100] : [1, 10, 100, 1_000, 10_000];
const MOST_CONNECTIONS = numberGiven('connections');
const ROUNDS = isShort ? 1 : 3;
const PASSES = numberGiven('passes') ?? (isShort ? 1 : 2);
const SECONDS = isShort ? 0.1 : 0.4;
const WARM_UP_SECONDS = isShort ? 0.05 : 0.1;
const FIRST_SECONDS = isShort ? 0.1 : 1.5;
/** Long enough for 10,000 waiters to have had the lock once. */
const HANDOFF_SECONDS = isShort ? 0.1 : 0.8;

const BUSY_CONNECTIONS = 50;
const HOLDING_CONNECTIONS = 100;
/** Of the server, the generator and a crowd, beside the counted connections. */
const OTHER_FILES = 150;
const REQUESTS_A_PAIR = 2;
const LIMITS = { maxLocks: 2_000_000, maxWaitersPerLock: 100_000, maxConnections: 100_000 };

const PANEL = { width: 330, height: 270, left: 44, right: 18, top: 44, bottom: 46 } as const;
const PLOT = {
  width: PANEL.width - PANEL.left - PANEL.right,
  height: PANEL.height - PANEL.top - PANEL.bottom,
} as const;
const MAX_LINES = 6;
/** Keeps the first and the last point off the edges. */
const INSET = 16;
const STYLE = `
  text { font: 11px system-ui, sans-serif; fill: #333; }
  .title { font-weight: 600; font-size: 13px; }
  .grid { stroke: #8888; stroke-width: 0.5; }
  .curve { fill: none; stroke: #0b62c4; stroke-width: 2; }
  .point { fill: #0b62c4; }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd; }
    .curve { stroke: #6cb2ff; }
    .point { fill: #6cb2ff; }
  }
`;

/** One curve with its axes. */
interface Panel {
  readonly title: string;
  readonly across: string;
  readonly upwards: string;
  /** `at` is 1 or more. */
  readonly points: readonly { readonly at: number; readonly value: number }[];
}

/** The least microseconds for each number. */
type Curve = Map<number, number>;

const generator = LoadGenerator.start();
const openFiles = allowedOpenFiles(Math.max(...WAITERS, ...IDLE, MOST_CONNECTIONS ?? 0) + OTHER_FILES);

async function start(): Promise<ServerProcess> {
  const server = await startServer({ settings: { limits: LIMITS }, openFiles });
  pinToCore(server.pid, CORES.server);
  const target = targetOf(server);
  const times = { warmUpSeconds: 0, seconds: FIRST_SECONDS };
  await generator.closedLoop({ target, connections: BUSY_CONNECTIONS, depth: 16, names: 'own', ...times });
  return server;
}

function targetOf(server: ServerProcess): LoadTarget {
  return { place: { host: '127.0.0.1', port: server.port }, protocol: 'ndjson', pid: server.pid };
}

function keepLeast(curve: Curve, at: number, value: number): void {
  curve.set(at, Math.min(curve.get(at) ?? Number.POSITIVE_INFINITY, value));
}

/** Microseconds for one uncontended lock with its unlock. */
async function measurePairs(server: ServerProcess, depth: number, curve: Curve, at: number): Promise<void> {
  const times = { warmUpSeconds: WARM_UP_SECONDS, seconds: SECONDS };
  const job = { target: targetOf(server), connections: BUSY_CONNECTIONS, depth, names: 'own', ...times } as const;
  for (let round = 0; round < ROUNDS; round += 1) {
    const { serverMicroseconds } = await generator.closedLoop(job);
    keepLeast(curve, at, serverMicroseconds * REQUESTS_A_PAIR);
  }
}

/** Measures beside more and more held locks. */
async function measureLocks(curve: Curve): Promise<void> {
  const server = await start();
  const crowd = Crowd.start(openFiles);
  await crowd.connect(server.port, HOLDING_CONNECTIONS);
  for (const locks of LOCKS) {
    await crowd.hold(locks);
    await measurePairs(server, 16, curve, locks);
  }
  await crowd.stop();
  await server.stop();
}

/** Microseconds for one handoff: the unlock, the grant to the next, and the new request of the former holder. */
async function measureWaiters(curve: Curve): Promise<void> {
  const server = await start();
  for (const waiters of WAITERS) {
    const times = { warmUpSeconds: HANDOFF_SECONDS, seconds: HANDOFF_SECONDS };
    const job = { target: targetOf(server), connections: waiters + 1, depth: 1, names: 'one', ...times } as const;
    const { serverMicroseconds } = await generator.closedLoop(job);
    keepLeast(curve, waiters, serverMicroseconds * REQUESTS_A_PAIR);
  }
  await server.stop();
}

/** Measures beside more and more idle connections. */
async function measureIdle(curve: Curve, counts: readonly number[]): Promise<void> {
  const server = await start();
  const crowd = Crowd.start(openFiles);
  for (const count of counts) {
    await crowd.connect(server.port, count);
    await measurePairs(server, 1, curve, count);
  }
  await crowd.stop();
  await server.stop();
}

/** The numbers of connections to measure, as far as the system allows so many open files. */
function idleCounts(): number[] {
  const allowed = openFiles - OTHER_FILES;
  const wanted =
    MOST_CONNECTIONS === undefined ? IDLE : [...IDLE.filter((each) => each < MOST_CONNECTIONS), MOST_CONNECTIONS];
  const counts = wanted.map((each) => Math.min(each, allowed));
  if (counts.at(-1) !== wanted.at(-1)) {
    console.log(
      `${wanted.at(-1)} connections take more open files than the ${openFiles} that are allowed: ${allowed} instead`,
    );
  }
  return counts;
}

function report(title: string, what: string, curve: Curve): Panel {
  const points = [...curve].map(([at, value]) => ({ at, value }));
  console.log(`\n${title}`);
  printTable(
    [what, 'server us'],
    points.map(({ at, value }) => [at.toLocaleString('en'), shown(value, 2)]),
  );
  const [first, last] = [points[0], points.at(-1)];
  console.log(`the last : the first: ${shown((last?.value ?? Number.NaN) / (first?.value ?? Number.NaN), 2)}`);
  return { title, across: what, upwards: 'microseconds of the server', points };
}

/** Draws the curves side by side over a logarithmic axis, as an SVG that is readable on light and on dark pages. */
function plotCurves(panels: readonly Panel[]): string {
  const size = { width: panels.length * PANEL.width, height: PANEL.height };
  const drawn = panels.map((panel, index) => `<g transform="translate(${index * PANEL.width} 0)">${draw(panel)}</g>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" width="${size.width}" height="${size.height}" role="img">`,
    `<title>${panels.map(({ title }) => title).join('; ')}</title>`,
    `<style>${STYLE}</style>`,
    ...drawn,
    '</svg>\n',
  ].join('\n');
}

function draw({ title, across, upwards, points }: Panel): string {
  const step = niceStep(Math.max(...points.map(({ value }) => value)));
  const lines = Math.floor(Math.max(...points.map(({ value }) => value)) / step) + 1;
  const decades = Math.ceil(Math.log10(Math.max(10, ...points.map(({ at }) => at))));
  const x = (at: number): string =>
    (PANEL.left + INSET + ((PLOT.width - 2 * INSET) * Math.log10(at)) / decades).toFixed(1);
  const y = (value: number): string => (PANEL.top + PLOT.height * (1 - value / (lines * step))).toFixed(1);
  const right = PANEL.left + PLOT.width;
  const parts = [
    text(PANEL.left, 16, 'start', title, 'title'),
    text(PANEL.left, 32, 'start', upwards),
    text(PANEL.left + PLOT.width / 2, PANEL.height - 10, 'middle', across),
  ];
  for (let line = 0; line <= lines; line += 1) {
    const value = line * step;
    parts.push(`<line class="grid" x1="${PANEL.left}" x2="${right}" y1="${y(value)}" y2="${y(value)}"/>`);
    parts.push(text(PANEL.left - 6, Number(y(value)) + 4, 'end', String(Number(value.toPrecision(3)))));
  }
  for (let decade = 0; decade <= decades; decade += 1) {
    parts.push(text(Number(x(10 ** decade)), PANEL.top + PLOT.height + 16, 'middle', countText(10 ** decade)));
  }
  parts.push(`<polyline class="curve" points="${points.map(({ at, value }) => `${x(at)},${y(value)}`).join(' ')}"/>`);
  for (const { at, value } of points) {
    parts.push(`<circle class="point" cx="${x(at)}" cy="${y(value)}" r="3"/>`);
    parts.push(text(Number(x(at)), Number(y(value)) - 8, 'middle', value.toPrecision(3)));
  }
  return parts.join('\n');
}

function text(x: number, y: number, anchor: 'start' | 'middle' | 'end', content: string, kind = 'label'): string {
  return `<text class="${kind}" x="${x}" y="${y}" text-anchor="${anchor}">${content}</text>`;
}

/** 1, 2 or 5 times a power of ten, so that a few lines reach that far. */
function niceStep(greatest: number): number {
  const least = greatest / MAX_LINES;
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10);
}

/** Shortens a power of ten. */
function countText(count: number): string {
  if (count >= 1e6) return `${count / 1e6}M`;
  return count >= 1_000 ? `${count / 1_000}k` : String(count);
}

const [locks, waiters, idle]: [Curve, Curve, Curve] = [new Map(), new Map(), new Map()];
const counts = idleCounts();
for (let pass = 0; pass < PASSES; pass += 1) {
  await measureLocks(locks);
  await measureWaiters(waiters);
  await measureIdle(idle, counts);
}
generator.stop();

console.log(
  `Processor time of the server, the least of ${PASSES * ROUNDS} rounds of ${SECONDS} s; of handoffs, of ${PASSES}`,
);
const panels = [
  report('A lock with its unlock, 16 in flight', 'other locks held', locks),
  report('A handoff', 'waiters on the lock', waiters),
  report('A lock with its unlock, 1 in flight', 'idle connections', idle),
];
const file = textGiven('svg');
if (file !== undefined) writeFileSync(file, plotCurves(panels));
