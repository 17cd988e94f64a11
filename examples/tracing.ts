/**
 * Makes OpenTelemetry spans of what the lock clients of this process do: one for each wait and one for each hold. Whoever had to
 * wait links to the trace of the holder, which holders tell by their owner tags: so it works across machines.
 *
 *     node dist/examples/tracing.js 20934
 */

import { type ChannelListener, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { context, isSpanContextValid, type Span, type SpanContext, SpanStatusCode, trace } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { LockClient, type LockDiagnostics, type TracedRequest } from 'holdfast';

/** Whoever waits for longer asks who holds the lock. */
const SHORT_WAIT_MS = 50;

/** An owner tag that tells the trace, as the header `traceparent` of W3C Trace Context does. */
function ownerOf(span: Span): string {
  const { traceId, spanId } = span.spanContext();
  return `00-${traceId}-${spanId}-01`;
}

function spanContextOf(owner: string): SpanContext | undefined {
  const [, traceId = '', spanId = ''] = owner.split('-');
  const spanContext = { traceId, spanId, traceFlags: 1, isRemote: true };
  return isSpanContextValid(spanContext) ? spanContext : undefined;
}

/** Begins to make spans. Asks who holds a lock through `client`, and calls `linked` once it knows. Returns what ends it. */
function traceLocks(client: LockClient, linked: () => void): () => void {
  const tracer = trace.getTracer('holdfast');
  const waits = new WeakMap<TracedRequest, Span>();
  const holds = new Map<number, Span>();

  async function linkHolders(wait: Span, names: readonly string[]): Promise<void> {
    for (const name of names) {
      for (const { owner } of (await client.inspect(name)).holders) {
        const holder = spanContextOf(owner);
        if (holder !== undefined && wait.isRecording()) wait.addLink({ context: holder });
      }
    }
    linked();
  }

  function beginWait({ request }: LockDiagnostics['request']): void {
    const { locks, owner } = request;
    const names = locks.map(({ name }) => name);
    const parent = spanContextOf(owner);
    const within = parent === undefined ? context.active() : trace.setSpanContext(context.active(), parent);
    const wait = tracer.startSpan(`wait for ${names.join(', ')}`, {}, within);
    waits.set(request, wait);
    const link = (): void => void linkHolders(wait, names).catch((error: Error) => wait.recordException(error));
    setTimeout(() => wait.isRecording() && link(), SHORT_WAIT_MS).unref();
  }

  function beginHolds({ request, holds: granted }: LockDiagnostics['grant']): void {
    const wait = waits.get(request);
    const within = wait === undefined ? context.active() : trace.setSpan(context.active(), wait);
    for (const { name, mode, token } of granted) {
      holds.set(token, tracer.startSpan(`hold ${name}`, { attributes: { mode, token } }, within));
    }
    wait?.end();
  }

  function failWait({ request, error }: LockDiagnostics['failure']): void {
    const wait = waits.get(request);
    wait?.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error | undefined)?.message ?? 'it is not free' });
    wait?.end();
  }

  function endHold({ hold: { token }, ...rest }: LockDiagnostics['release'] | LockDiagnostics['loss']): void {
    const hold = holds.get(token);
    holds.delete(token);
    if ('code' in rest) hold?.setStatus({ code: SpanStatusCode.ERROR, message: `lost: ${rest.code}` });
    hold?.end();
  }

  const listeners = {
    'holdfast:request': beginWait,
    'holdfast:grant': beginHolds,
    'holdfast:failure': failWait,
    'holdfast:release': endHold,
    'holdfast:loss': endHold,
  };
  const entries = Object.entries(listeners) as unknown as (readonly [string, ChannelListener])[];
  for (const [name, listener] of entries) subscribe(name, listener);
  return () => {
    for (const [name, listener] of entries) unsubscribe(name, listener);
  };
}

const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
const port = Number(process.argv[2] ?? 20_934);
const [first, second] = await Promise.all([LockClient.connect({ port }), LockClient.connect({ port })]);
let resolve = (): void => {};
const linked = new Promise<void>((done) => {
  resolve = done;
});
const stop = traceLocks(first, resolve);

// Two pieces of work, each in a trace of its own. The first ends when it is known for whom the second waits.
const tracer = trace.getTracer('work');
const [importing, reporting] = [tracer.startSpan('import'), tracer.startSpan('report')];
const lock = await first.lock('stock', { owner: ownerOf(importing) });
const waiting = second.locked('stock', () => reporting.end(), { owner: ownerOf(reporting) });
await linked;
await lock.release();
importing.end();
await waiting;
stop();
await Promise.all([first.close(), second.close()]);

const nameOf = (id: string): string => (id === importing.spanContext().traceId ? 'import' : 'report');
for (const span of exporter.getFinishedSpans()) {
  const links = span.links.map((link) => ` which links to the trace of ${nameOf(link.context.traceId)}`);
  console.log(`${nameOf(span.spanContext().traceId)}: ${span.name}${links.join('')}`);
}
