/** A lock server with its status page, both in the process of the test. */

import { get, type RequestOptions } from 'node:http';
import { text } from 'node:stream/consumers';
import { LockHistory } from '../../lib/history/lock-history.ts';
import { Durations } from '../../lib/http/durations.ts';
import type { HttpRefusal } from '../../lib/http/http-server.ts';
import type { Monitored } from '../../lib/http/monitored.ts';
import { Monitoring, type MonitoringOptions } from '../../lib/http/monitoring.ts';
import type { LockServerOptions } from '../../lib/server/lock-server-options.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import { listenOnTcp, makeServer, RunningServer } from '../server/running-server.ts';

/** An answer, as a whole. */
interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export class MonitoredServer {
  readonly running: RunningServer;
  readonly url: string;
  readonly refusals: HttpRefusal[];

  static async start(
    options: Omit<LockServerOptions, 'manager'> = {},
    monitoringOptions: Partial<MonitoringOptions> = {},
    standing?: Monitored,
  ): Promise<MonitoredServer> {
    const durations = new Durations();
    const history = new LockHistory({ minHeldMs: 0, everything: true });
    const server = makeServer({ observers: [durations, history], history, ...options });
    const refusals: HttpRefusal[] = [];
    const monitoring = new Monitoring({
      host: '127.0.0.1',
      port: 0,
      hosts: ['locks.example'],
      maxConnections: 64,
      isAllowed: () => true,
      groups: [],
      durations,
      monitored: () => standing ?? { role: 'single', monitor: server.monitor },
      refused: (refusal) => refusals.push(refusal),
      failed: (error) => {
        throw error;
      },
      ...monitoringOptions,
    });
    const url = await monitoring.listen();
    whenTestEnds(() => monitoring.close());
    return new MonitoredServer(new RunningServer(server, await listenOnTcp(server)), url, refusals);
  }

  private constructor(running: RunningServer, url: string, refusals: HttpRefusal[]) {
    this.running = running;
    this.url = url;
    this.refusals = refusals;
  }

  /** Asks for a path. */
  async get(path: string, options: RequestOptions = {}): Promise<Answer> {
    return await new Promise((resolve, reject) => {
      const request = get(this.url + path, { agent: false, ...options }, (response) => {
        text(response).then(
          (body) => resolve({ status: response.statusCode, headers: response.headers, text: body }),
          reject,
        );
      });
      request.once('error', reject);
    });
  }

  /** The JSON of a path below `/api/`. */
  // biome-ignore lint/suspicious/noExplicitAny: each path has its own form, which the tests know.
  async api(path: string): Promise<any> {
    return JSON.parse((await this.get(`api/${path}`)).text);
  }
}
