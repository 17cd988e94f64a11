/** A byte stream without a network: a test plays both the system and the peer. */

import type { ByteSink, ByteStream } from '../../lib/message/byte-stream.ts';

export class ManualStream implements ByteStream {
  readonly peer: string;
  readonly isFramed: boolean;
  /** Each write, and `end` or `destroy`. */
  readonly calls: string[] = [];
  isPaused = false;
  unsentBytes = 0;
  /** Whether writes stay unsent until `drain`. */
  isStuck = false;
  onWrite: () => void = () => {};
  #sink: ByteSink | undefined;
  #drainCallbacks: (() => void)[] = [];

  constructor({ peer = 'by hand', isFramed = false }: { readonly peer?: string; readonly isFramed?: boolean } = {}) {
    this.peer = peer;
    this.isFramed = isFramed;
  }

  start(sink: ByteSink): void {
    this.#sink = sink;
  }

  write(text: string): void {
    this.calls.push(text);
    if (this.isStuck) this.unsentBytes += Buffer.byteLength(text);
    this.onWrite();
  }

  /** Like a write of a socket. */
  whenDrained(callback: () => void): void {
    if (this.calls.includes('end')) throw new Error('asked behind the end');
    this.#drainCallbacks.push(callback);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    this.calls.push('end');
  }

  destroy(): void {
    this.calls.push('destroy');
  }

  /** The peer sends something. */
  receive(sent: string | Uint8Array): void {
    this.#requireSink().data(typeof sent === 'string' ? Buffer.from(sent) : sent);
  }

  receiveEnd(): void {
    this.#requireSink().ended();
  }

  close(error?: Error): void {
    this.#requireSink().closed(error);
  }

  /** The system takes all that was written. */
  drain(): void {
    this.unsentBytes = 0;
    for (const callback of this.#drainCallbacks.splice(0)) callback();
  }

  #requireSink(): ByteSink {
    if (this.#sink === undefined) throw new Error('nobody reads the stream');
    return this.#sink;
  }
}
