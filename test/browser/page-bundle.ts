/** Scripts for pages, bundled as a user of the package would, by the package's name. */

import { type BuildOptions, type BuildResult, build, type Metafile } from 'esbuild';

/** A script as a page loads it. */
export interface PageBundle {
  readonly code: string;
  /** Its source files, by their paths from the root of the package, and their imports. */
  readonly inputs: Metafile['inputs'];
}

/** Bundles a script in TypeScript. Rejects when it needs something that a browser does not have. */
export async function bundlePage(script: string, options: BuildOptions = {}): Promise<PageBundle> {
  const result: BuildResult<{ write: false; metafile: true }> = await build({
    ...options,
    stdin: { contents: script, resolveDir: process.cwd(), loader: 'ts', sourcefile: 'page.ts' },
    bundle: true,
    format: 'iife',
    platform: 'browser',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  return { code: result.outputFiles.map(({ text }) => text).join(''), inputs: result.metafile.inputs };
}
