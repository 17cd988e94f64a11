/**
 * Counts the functions of `lib` that a process runs, by V8's precise coverage. Load it with `node --import`, so that it
 * starts before the program does; the parent then asks by messages.
 */

import { readFileSync } from 'node:fs';
import { type Profiler, Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';

/** Asks the process which functions ran since it was asked last. */
export interface CoverageOrder {
  readonly coverage: 'take';
}

/** The answer is a list of these. */
export interface CalledFunction {
  /** Below `dist/lib`. */
  readonly file: string;
  /** With its line, since names come more than once. */
  readonly name: string;
}

const LIB = new URL('../lib/', import.meta.url).href;

function calledIn({ url, functions }: Profiler.ScriptCoverage): CalledFunction[] {
  const source = readFileSync(fileURLToPath(url), 'utf8');
  return functions
    .filter(({ ranges }) => (ranges[0]?.count ?? 0) > 0)
    .map(({ functionName, ranges }) => {
      const line = source.slice(0, ranges[0]?.startOffset).split('\n').length;
      return { file: url.slice(LIB.length), name: `${functionName || 'anonymous'}:${line}` };
    });
}

const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });

process.on('message', ({ coverage }: Partial<CoverageOrder>) => {
  if (coverage === undefined) return;
  session.post('Profiler.takePreciseCoverage', (error, { result }) => {
    if (error !== null) throw error;
    process.send?.(result.filter(({ url }) => url.startsWith(LIB)).flatMap(calledIn));
  });
});
process.once('disconnect', () => process.exit());
