/** The TypeScript examples of a document, compiled as a user of the package would and run as programs. */

import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from 'chai';

const run = promisify(execFile);

/** The `ts` blocks of a document in Markdown. */
export function readExamples(markdown: string): string[] {
  return [...markdown.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code as string);
}

/** Compiled into a folder within the package, so that they import it by its name. */
export class CompiledExamples {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Fails with the compiler's complaints. `ports` are those of the servers in the place of the document's. */
  static async compile(
    folder: string,
    examples: readonly string[],
    ports: Readonly<Record<number, number>>,
  ): Promise<CompiledExamples> {
    await compileFiles(
      folder,
      examples.map((code, index) => [`example-${index}.ts`, withPorts(code, ports)]),
    );
    return new CompiledExamples(folder);
  }

  /** Runs an example, by its place in the document, and compares what it prints. */
  async expectOutput(index: number, expected: RegExp): Promise<void> {
    const { stdout, stderr } = await run(process.execPath, [`${this.#folder}/example-${index}.js`]);
    expect(stdout).to.match(expected);
    expect(stderr).to.equal('');
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
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
