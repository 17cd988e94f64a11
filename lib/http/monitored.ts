/** What is monitored: a server by itself, or one of a cluster; and its health checks. */

import type { ServerMonitor } from '../server/server-monitor.ts';
import type { HttpAnswer } from './http-server.ts';

/** Where a server of a cluster stands that does not lead. `reason`: why it cannot forward; undefined while it follows a leader. */
export interface Standby {
  readonly role: 'standby';
  readonly leader?: string | undefined;
  readonly reason?: string | undefined;
}

/** A server that serves locks: by itself, or as the leader of a cluster. */
export interface Serving {
  readonly role: 'single' | 'leader';
  readonly monitor: ServerMonitor;
}

export type Monitored = Standby | Serving;

/** Why the server should get no work; undefined if it should. */
export function unreadiness(monitored: Monitored): string | undefined {
  return monitored.role === 'standby' ? monitored.reason : monitored.monitor.unreadiness;
}

/** The process answers, so it lives. */
export function livez(): HttpAnswer {
  return { status: 200, type: 'text/plain', body: 'ok\n' };
}

/** 503 with one word for the reason while nothing is granted here. */
export function readyz(monitored: Monitored): HttpAnswer {
  const reason = unreadiness(monitored);
  return { status: reason === undefined ? 200 : 503, type: 'text/plain', body: `${reason ?? 'ok'}\n` };
}
