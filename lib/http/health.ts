/** Tells whether the process lives, and whether the server should get work. */

import type { HttpAnswer } from './http-server.ts';
import { type Monitored, unreadiness } from './monitored.ts';

/** The process answers, so it lives. */
export function livez(): HttpAnswer {
  return { status: 200, type: 'text/plain', body: 'ok\n' };
}

/** 503 with one word for the reason while nothing is granted here. */
export function readyz(monitored: Monitored): HttpAnswer {
  const reason = unreadiness(monitored);
  return { status: reason === undefined ? 200 : 503, type: 'text/plain', body: `${reason ?? 'ok'}\n` };
}
