/** The files of the status page, read when they are first asked for. */

import { readFile } from 'node:fs/promises';
import type { HttpRoute } from './http-server.ts';

const FILES = [
  { path: '/', file: 'index.html', type: 'text/html' },
  { path: '/page.css', file: 'page.css', type: 'text/css' },
  { path: '/page.js', file: 'page.js', type: 'text/javascript' },
  { path: '/elements.js', file: 'elements.js', type: 'text/javascript' },
  { path: '/views.js', file: 'views.js', type: 'text/javascript' },
  { path: '/plots.js', file: 'plots.js', type: 'text/javascript' },
  { path: '/uplot.js', file: 'uPlot.esm.js', type: 'text/javascript' },
  { path: '/uplot.css', file: 'uPlot.min.css', type: 'text/css' },
];

/** A route for each file. */
export function pageRoutes(): ReadonlyMap<string, HttpRoute> {
  const folder = new URL('./page/', import.meta.url);
  return new Map(
    FILES.map(({ path, file, type }) => [
      path,
      async () => ({ status: 200, type, body: await readFile(new URL(file, folder)) }),
    ]),
  );
}
