/** The proxies and clients of a chaos run, each of which can be killed and started again. */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { kill, watched } from './children.ts';
import type { ChaosHost } from './hosts.ts';
import type { ClientArguments, ClientEvent, ProxyAction, ProxyArguments, ProxyOrder } from './messages.ts';

const PROXY = fileURLToPath(new URL('proxy-process.js', import.meta.url));
const CLIENT = fileURLToPath(new URL('client-process.js', import.meta.url));
const LINE_CLIENT = fileURLToPath(new URL('line-process.js', import.meta.url));

/** The proxy of one route, at the same ports after each start. */
export class ChaosProxy {
  readonly #arguments: ProxyArguments;
  #child: ChildProcess | undefined;

  constructor(proxyArguments: ProxyArguments) {
    this.#arguments = proxyArguments;
  }

  async start(): Promise<void> {
    this.#child = watched(fork(PROXY, [JSON.stringify(this.#arguments)]));
    await once(this.#child, 'message');
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  act(port: number, action: ProxyAction, ms = 0): void {
    if (this.#child?.connected === true) this.#child.send({ port, action, ms } satisfies ProxyOrder);
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined) await kill(this.#child);
  }
}

/** A client process. */
export class ChaosClient {
  readonly #child: ChildProcess;

  constructor(clientArguments: ClientArguments, host: ChaosHost | undefined, take: (event: ClientEvent) => void) {
    const [program = '', ...args] = [
      ...(host?.command ?? []),
      process.execPath,
      clientArguments.isOfLines ? LINE_CLIENT : CLIENT,
      JSON.stringify(clientArguments),
    ];
    this.#child = watched(spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
    this.#child.on('message', (events: readonly ClientEvent[]) => events.forEach(take));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  stop(): void {
    this.#child.kill('SIGSTOP');
  }

  goOn(): void {
    this.#child.kill('SIGCONT');
  }

  block(ms: number): void {
    // It may have been killed meanwhile.
    if (this.#child.connected) this.#child.send({ order: 'block', ms });
  }

  async kill(): Promise<void> {
    await kill(this.#child);
  }

  /** Lets it end all that it does. Resolves to whether it ended by itself within some time. */
  async finish(timeoutMs: number): Promise<boolean> {
    const exited = once(this.#child, 'exit', { signal: AbortSignal.timeout(timeoutMs) });
    this.#child.send({ order: 'finish' });
    try {
      const [code] = (await exited) as [number | null];
      return code === 0;
    } catch {
      this.#child.kill('SIGKILL');
      return false;
    }
  }
}
