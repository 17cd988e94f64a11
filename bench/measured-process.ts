/**
 * Answers messages about the process that loads it: how much memory it uses after a collection of garbage, and which functions
 * of `lib` ran, by V8's precise coverage. Load it with `node --import`, so that the measured program need not know of it.
 */

import { readFileSync } from 'node:fs';
import { type Profiler, Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * `functions`: the functions that ran since the last order; none at first, since it begins to count then. `memory`: the bytes in
 * use.
 */
export interface MeasuredProcessOrder {
  readonly tell: 'functions' | 'memory';
}

/** One function that ran. */
export interface CalledFunction {
  /** Below `dist/lib`. */
  readonly file: string;
  /** With its line, since names come more than once. */
  readonly name: string;
}

const LIB = new URL('../lib/', import.meta.url).href;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function calledIn({ url, functions }: Profiler.ScriptCoverage): CalledFunction[] {
  const source = readFileSync(fileURLToPath(url), 'utf8');
  return functions
    .filter(({ ranges }) => (ranges[0]?.count ?? 0) > 0)
    .map(({ functionName, ranges }) => {
      const line = source.slice(0, ranges[0]?.startOffset).split('\n').length;
      return { file: url.slice(LIB.length), name: `${functionName || 'anonymous'}:${line}` };
    });
}

let session: Session | undefined;

function startCounting(): Session {
  const started = new Session();
  started.connect();
  started.post('Profiler.enable');
  started.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  return started;
}

function tellFunctions(): void {
  session ??= startCounting();
  session.post('Profiler.takePreciseCoverage', (error, { result }) => {
    if (error !== null) throw error;
    process.send?.(result.filter(({ url }) => url.startsWith(LIB)).flatMap(calledIn));
  });
}

function tellMemory(): void {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.(heapUsed + external);
}

process.on('message', ({ tell }: Partial<MeasuredProcessOrder>) => {
  if (tell === 'functions') tellFunctions();
  if (tell === 'memory') tellMemory();
});
process.once('disconnect', () => process.exit());
