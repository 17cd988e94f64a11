/** The TypeScript examples of documents, compiled as a user of the package would and run as programs. */

import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { Context } from 'mocha';
import { LockServer } from '../../lib/server/lock-server.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { LOOPBACK, portOf } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const run = promisify(execFile);

/** The `ts` blocks of a document in Markdown. */
export function readExamples(markdown: string): string[] {
  return [...markdown.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code as string);
}

/** Ends the output of an example. */
const END = '--- the end of an example ---\n';
/** All examples together end within this. */
const RUN_TIMEOUT_MS = 15_000;

/** Compiled into a folder within the package, so that they import it by its name. */
export class CompiledExamples {
  readonly #folder: string;
  readonly #count: number;
  #outputs: Promise<readonly string[]> | undefined;

  private constructor(folder: string, count: number) {
    this.#folder = folder;
    this.#count = count;
  }

  /** Fails with the compiler's complaints. `ports` replace those of the document. */
  static async compile(
    folder: string,
    examples: readonly string[],
    ports: Readonly<Record<number, number>>,
  ): Promise<CompiledExamples> {
    await compileFiles(
      folder,
      examples.map((code, index) => [`example-${index}.ts`, withPorts(code, ports)]),
    );
    return new CompiledExamples(folder, examples.length);
  }

  /** Compares the output of an example, by its place among them. */
  async expectOutput(index: number, expected: RegExp): Promise<void> {
    this.#outputs ??= this.#runAll();
    expect((await this.#outputs)[index]).to.match(expected);
  }

  /** Runs one example after the other in one process, which takes much less time than a process for each. */
  async #runAll(): Promise<readonly string[]> {
    const names = Array.from({ length: this.#count }, (_, index) => `./example-${index}.js`);
    const program = names.map((name) => `await import('${name}');\nprocess.stdout.write(${JSON.stringify(END)});\n`);
    writeFileSync(`${this.#folder}/all.js`, program.join(''));
    const { stdout, stderr } = await run(process.execPath, [`${this.#folder}/all.js`], { timeout: RUN_TIMEOUT_MS });
    expect(stderr).to.equal('');
    return stdout.split(END);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The output of each example of a document, in order, with a title where its place says too little. */
export type Printed = readonly (RegExp | readonly [title: string, expected: RegExp])[];

/**
 * Tests that the `ts` blocks of documents, given by their paths, compile and print this. Compiles and runs those of all documents
 * together, which takes much less time than each alone. `startServers` returns the ports to use.
 */
export function describeExamples(
  folder: string,
  documents: Readonly<Record<string, Printed>>,
  startServers: (context: Context) => Promise<Readonly<Record<number, number>>> = startLockServer,
): void {
  const examples = Object.keys(documents).map((path) => readExamples(readFileSync(path, 'utf8')));
  let compiled: CompiledExamples;

  before(async function () {
    this.timeout(60_000);
    compiled = await CompiledExamples.compile(folder, examples.flat(), await startServers(this));
  });
  after(async () => {
    compiled?.remove();
    await endTest();
  });

  for (const [place, [path, printed]] of Object.entries(documents).entries()) {
    const first = examples.slice(0, place).flat().length;
    describe(path, () => {
      for (const [index, each] of printed.entries()) {
        const [title, expected] = each instanceof RegExp ? [`example ${index + 1}`, each] : each;
        it(`has TypeScript that compiles and works: ${title}`, () => compiled.expectOutput(first + index, expected));
      }

      it('has no TypeScript beyond those examples', () => {
        expect(examples[place]).to.have.length(printed.length);
      });
    });
  }
}

/** Takes the place of the documents' port, with the tokens of a server without a ledger. */
async function startLockServer(): Promise<Readonly<Record<number, number>>> {
  const server = new LockServer({ logger: new RecordingLogger() });
  whenTestEnds(() => server.close());
  return { 20934: portOf(await server.listen(tcp(LOOPBACK))) };
}

/** Compiles files, given by their names and their text, into a folder. Fails with the compiler's complaints. */
export async function compileFiles(folder: string, files: readonly (readonly [string, string])[]): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, code] of files) writeFileSync(`${folder}/${name}`, code);
  const options = { outDir: '.', rootDir: '.', declaration: false, isolatedDeclarations: false, sourceMap: false };
  const config = { extends: '../../tsconfig.json', compilerOptions: options, include: ['*.ts'], exclude: [] };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(config));
  await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', folder]).catch(({ stdout }) =>
    expect.fail(stdout),
  );
}

function withPorts(code: string, ports: Readonly<Record<number, number>>): string {
  return code.replace(/\b\d{4,5}\b/g, (number) => String(ports[Number(number)] ?? number));
}
