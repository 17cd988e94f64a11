/**
 * Hurts a server, its clients and the connections between them in many ways, and checks that no lock had two holders, that no token
 * fell, that nobody was forgotten, that nothing is left behind and that nobody lost a lock by a fault that costs none. Ends with
 * code 1 on a violation. A seed repeats the plan of the faults, though not the timing of the processes.
 *
 *     npm run build && node dist/bench/chaos/chaos.js [--short | --minutes=60] [--seed=7] [--restart=kept]
 */

import { setTimeout as pause } from 'node:timers/promises';
import { LockClient } from 'holdfast';
import { isShort, numberGiven, textGiven } from '../program.ts';
import { History, ROUTES } from './history.ts';
import { Injector } from './injector.ts';
import { makeRandom, nowMs } from './messages.ts';
import { ChaosProxy, ChaosServer, freePorts } from './world.ts';

const MS_A_MINUTE = 60_000;
const DURATION_MS = isShort ? 25_000 : (numberGiven('minutes') ?? 2) * MS_A_MINUTE;
const SEED = numberGiven('seed') ?? Math.floor(Math.random() * 2 ** 31);
/** Whether sessions outlive the process of a server with a state directory. */
const KEEPS_OVER_RESTART = textGiven('restart') === 'kept';
const SESSION_MS = 4_000;
const REQUEST_TIMEOUT_MS = 5_000;
const FAULT_EVERY_MS = 450;
const AUDIT_EVERY_MS = 1_500;
/** A hold that nobody has any more may be listed for so long: the session's time-out, and time for words to arrive. */
const LEFT_BEHIND_MS = SESSION_MS + 4_000;
const FINISH_MS = 20_000;
const ANSWER_MS = 3_000;
const MAX_SHOWN = 20;

const startMs = nowMs();
const random = makeRandom(SEED);
const [port = 0, proxiedPort = 0, ...ownPorts] = await freePorts(2 + ROUTES.length);
const server = new ChaosServer(port, proxiedPort);
const ports = ROUTES.map((route, index) => (route === 'direct' ? port : (ownPorts[index] as number)));
const portsOf = (route: string): number[] => ports.filter((_, index) => ROUTES[index] === route);
const proxies = {
  proxy: new ChaosProxy('proxy', { ports: portsOf('proxy'), serverPort: port }),
  proxiedListener: new ChaosProxy('proxiedListener', { ports: portsOf('proxiedListener'), serverPort: proxiedPort }),
};
const history = new History({ sessionMs: SESSION_MS, answerMs: ANSWER_MS, permitLimit: 2 }, startMs);
/** When a token without a client was first seen in a listing. */
const strays = new Map<number, number>();

/** The tokens of all holders; undefined when the server does not answer. */
async function listTokens(): Promise<Set<number> | undefined> {
  const client = new LockClient({ port, reconnect: false, connectTimeoutMs: 1_000, requestTimeoutMs: 2_000 });
  try {
    const tokens = new Set<number>();
    for await (const { holders } of client.listAll()) for (const { token } of holders) tokens.add(token);
    return tokens;
  } catch {
    return undefined;
  } finally {
    await client.close();
  }
}

/** What the server lists must be held by somebody, or have been until a moment ago. */
async function audit(): Promise<void> {
  const tokens = await listTokens();
  if (tokens === undefined) return;
  const atMs = nowMs();
  for (const token of tokens) {
    const known = history.endOf(token);
    if (known !== undefined && known.endMs === undefined) continue;
    const sinceMs = known?.endMs ?? strays.get(token) ?? atMs;
    if (known === undefined) strays.set(token, sinceMs);
    if (atMs - sinceMs <= LEFT_BEHIND_MS || leftBehind.has(token)) continue;
    leftBehind.add(token);
    history.violation(
      atMs,
      `left behind: token ${token}, ${known?.end ?? 'told to nobody'}, ${(atMs - sinceMs).toFixed(0)} ms ago`,
    );
  }
}

/** Once all clients have ended, nothing may be listed and no connection be open but one. */
async function checkRemains(): Promise<void> {
  const endMs = nowMs() + LEFT_BEHIND_MS;
  for (;;) {
    const client = await LockClient.connect({ port });
    const { holders, waiting, suspendedSessions, openConnections } = await client.stats();
    await client.close();
    const remains = { holders, waiting, suspendedSessions, connections: openConnections - 1 };
    const left = Object.entries(remains).filter(([, count]) => count !== 0);
    if (left.length === 0) return;
    if (nowMs() > endMs) {
      history.violation(nowMs(), `left on the server: ${left.map(([what, count]) => `${what} ${count}`).join(', ')}`);
      return;
    }
    await pause(200);
  }
}

async function runFaults(injector: Injector): Promise<void> {
  const endMs = nowMs() + DURATION_MS;
  let auditMs = nowMs();
  while (nowMs() < endMs) {
    await pause(FAULT_EVERY_MS * (0.5 + random()));
    injector.injectNext(listTokens);
    if (nowMs() < auditMs + AUDIT_EVERY_MS) continue;
    auditMs = nowMs();
    await audit();
  }
  await injector.settle();
}

function report(injector: Injector): void {
  const classes = new Map<string, number>();
  for (const { kind } of history.faults) classes.set(kind, (classes.get(kind) ?? 0) + 1);
  const seconds = ((nowMs() - startMs) / 1_000).toFixed(0);
  console.log(`${history.faults.length} faults of ${classes.size} classes in ${seconds} s:`);
  for (const [kind, count] of [...classes].sort()) console.log(`  ${kind.padEnd(40)} ${count}`);
  for (const [what, count] of [...history.counts].sort()) console.log(`  ${what.padEnd(40)} ${count}`);
  const { all, kept } = injector.crashes;
  console.log(`  ${'crashes of holders, freed within 1 s'.padEnd(40)} ${all - kept} of ${all}`);
  for (const violation of history.violations.slice(0, MAX_SHOWN)) console.log(`VIOLATION ${violation}`);
  console.log(`${history.violations.length} violations`);
}

const leftBehind = new Set<number>();
console.log(`seed ${SEED}`);
await server.start(random() < 0.5);
await Promise.all([proxies.proxy.start(), proxies.proxiedListener.start()]);
const injector = new Injector({
  ...{
    server,
    proxies,
    ports,
    history,
    random,
    seed: SEED,
    sessionMs: SESSION_MS,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
  },
  keepsOverRestart: KEEPS_OVER_RESTART,
});
await runFaults(injector);
await injector.finish(FINISH_MS);
history.checkHolds();
await checkRemains();
if (injector.crashes.all >= 2 && injector.crashes.kept * 2 > injector.crashes.all) {
  history.violation(nowMs(), 'most crashes did not free at once');
}
if (!server.isRunning) history.violation(nowMs(), `the server ended by itself: ${server.log}`);
await Promise.all([proxies.proxy.kill(), proxies.proxiedListener.kill()]);
await server.remove();
report(injector);
process.exitCode = history.violations.length > 0 ? 1 : 0;
