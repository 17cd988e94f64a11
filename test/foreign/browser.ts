/** Chromium without a window, and the pages that a test serves to it. */

import { EventEmitter, once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { Inbox } from '../server/inbox.ts';
import { SystemProgram } from './system-program.ts';

const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync', '--remote-debugging-port=0'],
  // Resolves these names to this machine, as an attacker's name server would.
  '--host-resolver-rules=MAP *.example 127.0.0.1',
];

/** Pauses leave the processor to the browser, which starts meanwhile. */
const RETRY_MS = 5;

/** Serves one page, and receives its reports. */
export class PageServer {
  readonly origin: string;
  readonly #reports: Inbox<string>;

  /**
   * Serves a page with this script, in which `report(text)` tells something to the test. A function is asked for the
   * script whenever the page is loaded.
   */
  static async start(script: string | (() => string)): Promise<PageServer> {
    const reports = new Inbox<string>();
    const report = "const report = (text) => fetch('/report', { method: 'POST', body: String(text) });";
    const page = (): string => {
      const text = typeof script === 'string' ? script : script();
      return `<!doctype html><title>page</title><script>${report}\n${text}</script>`;
    };
    const server = createServer(async (request, response) => {
      if (request.method === 'POST') {
        let text = '';
        for await (const chunk of request) text += chunk;
        reports.push(text);
      }
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(request.url === '/' ? page() : '');
    });
    whenTestEnds(() => {
      server.closeAllConnections();
      server.close();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new PageServer(`http://localhost:${(server.address() as AddressInfo).port}`, reports);
  }

  private constructor(origin: string, reports: Inbox<string>) {
    this.origin = origin;
    this.#reports = reports;
  }

  /** The next report of the page. */
  nextReport(): Promise<string> {
    return this.#reports.next();
  }
}

/** The browser's own connection to one of its pages. */
class DevTools {
  readonly #socket: WebSocket;
  readonly #opened: Promise<unknown>;
  readonly #messages = new EventEmitter();
  #calls = 0;

  constructor(url: string) {
    this.#socket = new WebSocket(url);
    whenTestEnds(() => this.#socket.terminate());
    this.#opened = once(this.#socket, 'open');
    this.#socket.on('message', (text) => {
      const { id, method, result } = JSON.parse(String(text));
      this.#messages.emit(id === undefined ? method : `answer ${id}`, result);
    });
  }

  async call(method: string, params: object): Promise<Readonly<Record<string, unknown>>> {
    await this.#opened;
    this.#calls += 1;
    const answer = once(this.#messages, `answer ${this.#calls}`);
    this.#socket.send(JSON.stringify({ id: this.#calls, method, params }));
    return (await answer)[0];
  }

  async event(method: string): Promise<void> {
    await once(this.#messages, method);
  }
}

/** A browser with one page open; it is killed when the test ends. */
export class Browser {
  readonly #program: SystemProgram;
  readonly #profile: string;

  constructor(url: string) {
    this.#profile = makeFolder();
    // A killed browser does not remove its temporary files.
    this.#program = new SystemProgram('chromium', [...FLAGS, `--user-data-dir=${this.#profile}`, url], {
      HOME: this.#profile,
      TMPDIR: this.#profile,
    });
  }

  /** Closes the page as its user would, which leaves the browser running. */
  async closePage(): Promise<void> {
    // Without a second page the browser would end with the first.
    await this.openPage('about:blank');
    const tools = await this.#tools();
    const pages = (await (await fetch(`${tools}/list`)).json()) as { type: string; id: string; title: string }[];
    const page = pages.find(({ type, title }) => type === 'page' && title === 'page');
    if (page === undefined) throw new Error(`there is no such page: ${JSON.stringify(pages)}`);
    await fetch(`${tools}/close/${page.id}`);
  }

  /** Opens another page, in front of the others. */
  async openPage(url: string): Promise<void> {
    await fetch(`${await this.#tools()}/new?${encodeURIComponent(url)}`, { method: 'PUT' });
  }

  /** Opens another page and returns the value of an expression, or of its promise, in it. */
  async evaluate(url: string, expression: string): Promise<unknown> {
    const opened = await fetch(`${await this.#tools()}/new?about:blank`, { method: 'PUT' });
    const { webSocketDebuggerUrl } = (await opened.json()) as { readonly webSocketDebuggerUrl: string };
    const page = new DevTools(webSocketDebuggerUrl);
    await page.call('Page.enable', {});
    const loaded = page.event('Page.loadEventFired');
    await page.call('Page.navigate', { url });
    await loaded;
    const answer = await page.call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    return (answer.result as { readonly value?: unknown }).value;
  }

  kill(): Promise<void> {
    return this.#program.kill();
  }

  async isRunning(): Promise<boolean> {
    return (await fetch(`${await this.#tools()}/version`)).ok;
  }

  /** The URL of the browser's tools, once it has written its port to a file. */
  async #tools(): Promise<string> {
    const file = join(this.#profile, 'DevToolsActivePort');
    let port: string | undefined;
    while (port === undefined) {
      await delay(RETRY_MS);
      if (existsSync(file)) port = /^(\d+)\n/.exec(readFileSync(file, 'utf8'))?.[1];
    }
    return `http://127.0.0.1:${port}/json`;
  }
}
