/** Status page, metrics, health checks and API of one server, on one listener. */

import { Surveys } from '../server/surveys.ts';
import { apiRoutes } from './api.ts';
import type { Durations } from './durations.ts';
import { type HttpRoute, HttpServer, type HttpServerOptions } from './http-server.ts';
import { LiveEvents } from './live-events.ts';
import type { Metrics } from './metrics.ts';
import { livez, type Monitored, readyz } from './monitored.ts';
import { groupFinder, type NameGroup } from './name-groups.ts';
import { pageRoutes } from './page-files.ts';
import { Samples } from './samples.ts';

export interface MonitoringOptions extends Omit<HttpServerOptions, 'routes'> {
  /** What to tell about; asked for each time, since a server of a cluster may lead and stand by in turns. */
  readonly monitored: () => Monitored;
  readonly groups: readonly NameGroup[];
  /** An observer of the servers that are monitored. */
  readonly durations: Durations;
}

export class Monitoring {
  readonly #options: MonitoringOptions;
  readonly #server: HttpServer;
  readonly #samples: Samples;
  readonly #surveys: Surveys;
  readonly #live: LiveEvents;
  #metrics: Metrics | undefined;

  constructor(options: MonitoringOptions) {
    const { monitored, groups, failed } = options;
    this.#options = options;
    this.#samples = new Samples(monitored);
    this.#surveys = new Surveys(groupFinder(groups));
    this.#live = new LiveEvents(monitored, this.#surveys, (error) => failed(error, '/api/events'));
    this.#server = new HttpServer({ ...options, routes: this.#routes() });
  }

  /** Listens; resolves to the URL. Rejects with the system's error, such as `EADDRINUSE`. */
  async listen(): Promise<string> {
    try {
      return await this.#server.listen();
    } catch (error) {
      this.#samples.close();
      throw error;
    }
  }

  /** Makes other groups and names hold. */
  change({ groups, hosts }: Pick<MonitoringOptions, 'groups' | 'hosts'>): void {
    this.#surveys.change(groupFinder(groups));
    this.#server.setHosts(hosts);
  }

  /** Closes the listener and all its connections. */
  async close(): Promise<void> {
    this.#samples.close();
    this.#live.close();
    await this.#server.close();
  }

  #routes(): ReadonlyMap<string, HttpRoute> {
    const { monitored } = this.#options;
    return new Map<string, HttpRoute>([
      ...pageRoutes(),
      ...apiRoutes({ monitored, surveys: this.#surveys, samples: this.#samples }),
      ['/api/events', () => this.#live.answer()],
      ['/livez', livez],
      ['/readyz', () => readyz(monitored())],
      ['/metrics', async () => await this.#answerMetrics()],
    ]);
  }

  /** The package is loaded when it is first needed: most servers are asked for no metrics. */
  async #answerMetrics(): Promise<{ readonly status: number; readonly type: string; readonly body: string }> {
    if (this.#metrics === undefined) {
      const { Metrics: Made } = await import('./metrics.ts');
      const { monitored, durations } = this.#options;
      this.#metrics ??= new Made(monitored, this.#surveys, durations);
    }
    return { status: 200, type: this.#metrics.type, body: await this.#metrics.text() };
  }
}
