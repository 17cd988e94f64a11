/** The package as `npm pack` makes it, installed by npm in a project of its own, away from this checkout. */

import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A folder with the package installed. */
export class FreshProject {
  readonly #folder: string;
  readonly #tarball: string;

  /** Packs a copy of this checkout, since packing builds anew. */
  static async make(): Promise<FreshProject> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-fresh-'));
    const checkout = join(folder, 'checkout');
    const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' });
    for (const file of files.trim().split('\n')) cpSync(file, join(checkout, file));
    symlinkSync(resolve('node_modules'), join(checkout, 'node_modules'));
    await run('npm', ['pack', '--pack-destination', folder], { cwd: checkout });
    mkdirSync(join(folder, 'project'));
    const [tarball] = execFileSync('ls', [folder], { encoding: 'utf8' })
      .split('\n')
      .filter((name) => name.endsWith('.tgz'));
    return new FreshProject(folder, join(folder, tarball as string));
  }

  private constructor(folder: string, tarball: string) {
    this.#folder = folder;
    this.#tarball = tarball;
  }

  /** The package as `npm pack` made it. */
  get tarball(): string {
    return this.#tarball;
  }

  get path(): string {
    return join(this.#folder, 'project');
  }

  /** Installs the package, and others beside it, as `name@version`. */
  async install(...others: string[]): Promise<void> {
    this.write({ 'package.json': JSON.stringify({ name: 'fresh', private: true }) });
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', this.#tarball, ...others], {
      cwd: this.path,
    });
  }

  /** Writes files of the project, by their names. */
  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.path, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }

  /**
   * Runs a program in the project's folder; resolves to what it printed.
   * @throws with all that it printed when it ends with another code than 0.
   */
  async run(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<string> {
    try {
      const env = { ...process.env, NODE_OPTIONS: '', ...environment };
      const { stdout, stderr } = await run(command, args, { cwd: this.path, env });
      return stdout + stderr;
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
    }
  }

  /** Moves a bundle to a folder without packages; resolves to its output there. */
  async runElsewhere(folder: string, file: string, environment: NodeJS.ProcessEnv): Promise<string> {
    const elsewhere = mkdtempSync(join(tmpdir(), 'holdfast-elsewhere-'));
    try {
      cpSync(join(this.path, folder), elsewhere, { recursive: true });
      return await this.run(process.execPath, [join(elsewhere, file)], environment);
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
