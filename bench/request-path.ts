/**
 * Counts the functions and files of `lib` that one warm request passes through, and lists the longest functions. A function
 * counts when it ran in most rounds, so a timer that happens to fire does not. With `--limits` the program ends with code 1
 * when a count is above its goal.
 *
 *     npm run build && node dist/bench/request-path.js [--list] [--limits]
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LockClient, type LockHandle } from 'holdfast';
import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';
import { LineClient } from './crowd.ts';
import type { CalledFunction, MeasuredProcessOrder } from './measured-process.ts';
import { askChild } from './processes.ts';
import { median, numberGiven, printTable } from './program.ts';
import { startServer } from './servers.ts';

const MEASURED_PROCESS = new URL('measured-process.js', import.meta.url).href;
const WARM_UP_ROUNDS = 20;
const ROUNDS = 9;
/** Long enough for all that follows from a request. */
const SETTLE_MS = 20;
const LONGEST = 5;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FUNCTIONS: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.ArrowFunction,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
]);

/** One kind of request, and the goal for it. */
interface Path {
  readonly name: string;
  readonly maxFunctions: number;
  readonly maxFiles: number;
  /** The process whose functions count. */
  readonly process: ChildProcess;
  prepare(): Promise<unknown>;
  run(): Promise<unknown>;
  /** Undoes what `run` did. */
  restore(): Promise<unknown>;
}

/** A message to the process of the client. */
interface ClientOrder {
  readonly client: 'lock' | 'release';
}

interface FunctionLength {
  readonly place: string;
  readonly lines: number;
}

const nothing = async (): Promise<void> => {};

function takeCalled(child: ChildProcess): Promise<CalledFunction[]> {
  return askChild(child, { tell: 'functions' } satisfies MeasuredProcessOrder);
}

async function calledOnce(path: Path): Promise<CalledFunction[]> {
  await path.prepare();
  await pause(SETTLE_MS);
  await takeCalled(path.process);
  await path.run();
  await pause(SETTLE_MS);
  const called = await takeCalled(path.process);
  await path.restore();
  return called;
}

/** The functions that ran in most rounds, in the order of their files. */
async function measure(path: Path): Promise<CalledFunction[]> {
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) {
    await path.prepare();
    await path.run();
    await path.restore();
  }
  const found = new Map<string, { readonly called: CalledFunction; rounds: number }>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const called of await calledOnce(path)) {
      const key = `${called.file} ${called.name}`;
      const entry = found.get(key) ?? { called, rounds: 0 };
      entry.rounds += 1;
      found.set(key, entry);
    }
  }
  const usual = [...found.values()].filter(({ rounds }) => rounds > ROUNDS / 2).map(({ called }) => called);
  return usual.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
}

function lockMessage(command: 'lock' | 'unlock', lockName: string): readonly string[] {
  return [JSON.stringify({ command, parameters: { lockName }, id: 1 })];
}

async function pathsOf(server: ChildProcess, port: number, client: ChildProcess): Promise<Path[]> {
  const [asking, asked] = [await LineClient.connect(port), await LineClient.connect(port)];
  let ending: LineClient | undefined;
  return [
    {
      name: 'server: a lock message',
      maxFunctions: 70,
      maxFiles: 18,
      process: server,
      prepare: nothing,
      run: () => asking.ask(lockMessage('lock', 'a')),
      restore: () => asking.ask(lockMessage('unlock', 'a')),
    },
    {
      name: 'server: a line, g foo',
      maxFunctions: 65,
      maxFiles: 18,
      process: server,
      prepare: nothing,
      run: () => asked.ask(['g foo']),
      restore: () => asked.ask(['r foo']),
    },
    {
      name: 'server: the end of a connection with 3 locks',
      maxFunctions: 60,
      maxFiles: 16,
      process: server,
      prepare: async () => {
        ending = await LineClient.connect(port);
        for (const name of ['one', 'two', 'three']) await ending.ask(lockMessage('lock', name));
      },
      run: async () => ending?.end(),
      restore: nothing,
    },
    {
      name: 'client: lock()',
      maxFunctions: 45,
      maxFiles: 10,
      process: client,
      prepare: nothing,
      run: () => askChild(client, { client: 'lock' } satisfies ClientOrder),
      restore: () => askChild(client, { client: 'release' } satisfies ClientOrder),
    },
  ];
}

async function startClient(port: number): Promise<ChildProcess> {
  const client = fork(fileURLToPath(import.meta.url), [`--client=${port}`], {
    execArgv: ['--import', MEASURED_PROCESS],
  });
  await once(client, 'message');
  return client;
}

/** The process of the client: takes or releases one lock each time it is told to. */
async function serveOrders(port: number): Promise<void> {
  const client = await LockClient.connect({ port });
  let held: LockHandle | undefined;
  const obey = async (order: ClientOrder['client']): Promise<void> => {
    if (order === 'lock') held = await client.lock('a');
    else await held?.release();
    process.send?.('done');
  };
  process.on('message', (message: Partial<ClientOrder>) => {
    if (message.client !== undefined) void obey(message.client);
  });
  process.send?.('ready');
}

function lineAt(file: SourceFile, place: number): number {
  return file.text.slice(0, place).split('\n').length;
}

/** Finds the functions with a body in braces, also nested ones. */
function functionsIn(file: SourceFile, name: string): FunctionLength[] {
  const lengths: FunctionLength[] = [];
  const visit = (node: Node): undefined => {
    const text = file.text.slice(node.getStart(file), node.end);
    if (FUNCTIONS.has(node.kind) && text.endsWith('}')) {
      const line = lineAt(file, node.getStart(file));
      lengths.push({ place: `${name}:${line}`, lines: text.split('\n').length });
    }
    node.forEachChild(visit);
  };
  visit(file);
  return lengths;
}

/** Prints the median, and the longest functions. */
function reportLengths(): void {
  const api = new API();
  const [project] = api.updateSnapshot({ openProject: `${ROOT}tsconfig.json` }).getProjects();
  if (project === undefined) throw new Error('tsconfig.json was not read');
  const names = project.program.getSourceFileNames().filter((name) => name.startsWith(`${ROOT}lib/`));
  const lengths = names.flatMap((name) => {
    const file = project.program.getSourceFile(name);
    return file === undefined ? [] : functionsIn(file, name.slice(ROOT.length));
  });
  api.close();
  const longest = lengths.sort((a, b) => b.lines - a.lines).slice(0, LONGEST);
  const middle = median(lengths.map(({ lines }) => lines));
  console.log(`\n${lengths.length} functions in ${names.length} files of lib, ${middle} lines by the median`);
  printTable(
    ['the longest', 'lines'],
    longest.map(({ place, lines }) => [place, `${lines}`]),
  );
}

function report(path: Path, called: readonly CalledFunction[]): string[] {
  const files = [...new Set(called.map(({ file }) => file))];
  if (process.argv.includes('--list')) {
    console.log(path.name);
    for (const file of files) {
      const names = called.filter((each) => each.file === file).map(({ name }) => name);
      console.log(`  ${file}: ${names.join(' ')}`);
    }
  }
  const isWithin = called.length <= path.maxFunctions && files.length <= path.maxFiles;
  if (!isWithin && process.argv.includes('--limits')) process.exitCode = 1;
  return [path.name, `${called.length}`, `${files.length}`, `${path.maxFunctions} in ${path.maxFiles}`];
}

async function measureAll(): Promise<void> {
  const server = await startServer({ preload: MEASURED_PROCESS });
  const client = await startClient(server.port);
  const rows: string[][] = [];
  for (const path of await pathsOf(server.process, server.port, client)) rows.push(report(path, await measure(path)));
  printTable(['', 'functions', 'files', 'goal'], rows);
  client.disconnect();
  await server.stop();
  reportLengths();
}

const clientPort = numberGiven('client');
await (clientPort === undefined ? measureAll() : serveOrders(clientPort));
