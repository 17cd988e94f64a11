/** The package as it is published, and TypeScript projects that use it from there, so that nothing else is in reach. */

import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** One complaint of the compiler, as `file.ts:12 TS2322`. */
type Complaint = string;

/** A project of a user. */
export interface Project {
  /** Packages beside `holdfast`, as they are installed here. */
  readonly packages: readonly string[];
  readonly compilerOptions: object;
  /** The text of each file, by its name. */
  readonly files: Readonly<Record<string, string>>;
}

/** The published files of the package in a folder of their own. */
export class PackedPackage {
  readonly #folder: string;
  #projects = 0;

  /** Packs the built package. */
  static async pack(): Promise<PackedPackage> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-packed-'));
    const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]);
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    await run('tar', ['-xzf', join(folder, filename), '-C', folder]);
    return new PackedPackage(folder);
  }

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** The folder of the package. */
  get path(): string {
    return join(this.#folder, 'package');
  }

  /** The entry points by which it is imported, such as `holdfast/browser`. */
  get entries(): string[] {
    const { exports } = JSON.parse(readFileSync(join(this.path, 'package.json'), 'utf8')) as { exports: object };
    const code = Object.keys(exports).filter((key) => key !== './package.json');
    return code.map((key) => `holdfast${key.slice(1)}`);
  }

  /** Compiles a project with strict options. Resolves to the complaints about its files and the declarations. */
  async compile({ packages, compilerOptions, files }: Project): Promise<Complaint[]> {
    this.#projects += 1;
    const folder = join(this.#folder, `project-${this.#projects}`);
    mkdirSync(folder);
    cpSync(this.path, join(folder, 'node_modules/holdfast'), { recursive: true });
    for (const name of packages) {
      cpSync(join('node_modules', name), join(folder, 'node_modules', name), { recursive: true });
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const options = { target: 'es2022', strict: true, skipLibCheck: false, noEmit: true, ...compilerOptions };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: Object.keys(files) }),
    );
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    const compiler = [join(process.cwd(), 'node_modules/typescript/bin/tsc'), '--pretty', 'false'];
    const output = await run(process.execPath, compiler, { cwd: folder }).then(
      () => '',
      ({ stdout }) => String(stdout),
    );
    const complaints = [...output.matchAll(/^(\S+?)\((\d+),\d+\): error (TS\d+)/gm)];
    if (complaints.length === 0 && output !== '') throw new Error(output);
    return complaints.map(([, file, line, code]) => `${file}:${line} ${code}`);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
