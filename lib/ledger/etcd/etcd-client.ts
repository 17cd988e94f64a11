/** A client of just the calls of etcd that we need. */

import { EtcdConnection } from './etcd-connection.ts';
import { EtcdEndpoints } from './etcd-endpoints.ts';
import { EtcdError } from './etcd-error.ts';
import { EtcdLogin } from './etcd-login.ts';
import {
  DELETE_EVENT,
  type EtcdMethod,
  type EtcdMethods,
  type Header,
  loadMethods,
  orMissing,
  type WatchResponse,
} from './etcd-messages.ts';
import {
  type Compare,
  type KeyValue,
  type Operation,
  rangeOf,
  type TxnResult,
  toKeyValue,
  toRawCompare,
  toRawOperation,
  toResult,
} from './etcd-values.ts';
import { startWatch } from './etcd-watch.ts';
import { LeaseStream } from './lease-stream.ts';

export interface EtcdOptions {
  /** `http://host:port` or `https://host:port`. One is used as long as it answers, then the next. */
  readonly endpoints: readonly string[];
  /** How long each endpoint may take for an answer. */
  readonly timeoutMs: number;
  /** For https: who signs etcd's certificate, and our own, in PEM. */
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer } | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

/** What each answer tells of etcd. */
export interface Answer {
  /** Grows with each change of any key. */
  readonly revision: number;
  readonly clusterId: string;
}

/** Which keys to read. */
export interface RangeOptions {
  /** Whether to read all keys that begin like this. */
  readonly isPrefix?: boolean;
  /** How many entries at most; all if none is given. */
  readonly limit?: number;
  /** Only keys behind this one, in the order of their bytes. */
  readonly after?: string;
}

export interface Transaction {
  /** All must be true for `success` to be carried out; `failure` is carried out otherwise. */
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
  readonly failure?: readonly Operation[];
}

/** What happened to a key, and in which revision. */
export interface WatchEvent {
  readonly type: 'put' | 'delete';
  /** Of a deleted key only `key` and `modRevision` say something. */
  readonly entry: KeyValue;
  readonly revision: number;
}

export interface WatchedKeys {
  readonly key: string;
  readonly isPrefix?: boolean;
  /** The first revision whose changes are told. */
  readonly fromRevision: number;
}

/** Who hears of changes. */
export interface ChangeListener {
  changed(events: readonly WatchEvent[]): void;
  /** The watch is over, for example `compacted`; called once. Watch again from the next revision, or read anew. */
  failed(error: EtcdError): void;
}

export interface EtcdStatus {
  readonly endpoint: string;
  readonly version: string;
  /** How many bytes the database takes. */
  readonly dbBytes: number;
  readonly isLeaderKnown: boolean;
  /** Alarms and other troubles, in etcd's words. */
  readonly errors: readonly string[];
}

export class EtcdClient {
  /**
   * Called with each answer that came by way of the whole cluster. C7: an answer whose revision is below `knownRevision`, the
   * highest one that was known when the call was sent, proves that etcd was set back.
   */
  onAnswer: ((answer: Answer, knownRevision: number) => void) | undefined;
  readonly #methods: EtcdMethods;
  readonly #timeoutMs: number;
  readonly #endpoints: EtcdEndpoints;
  readonly #stopWatches = new Set<() => void>();
  #leases: LeaseStream | undefined;
  #knownRevision = 0;

  private constructor(methods: EtcdMethods, endpoints: EtcdEndpoints, timeoutMs: number) {
    this.#methods = methods;
    this.#endpoints = endpoints;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Resolves to a client; etcd need not run. Rejects with a LedgerError `unusable` when the package `@grpc/grpc-js` is not
   * installed, with a RangeError for a wrong endpoint, with an EtcdError `certificate` when own certificates are unusable.
   */
  static async open(options: EtcdOptions): Promise<EtcdClient> {
    const { endpoints, user, password, timeoutMs } = options;
    if (endpoints.length === 0)
      throw new RangeError('endpoints is empty; expected http://host:port or https://host:port');
    for (const endpoint of endpoints) checkEndpoint(endpoint);
    const grpc = await orMissing(import('@grpc/grpc-js'));
    const methods = await loadMethods();
    const connections = endpoints.map((endpoint) => new EtcdConnection(grpc, endpoint, options));
    const login = new EtcdLogin(methods.authenticate, user, password);
    return new EtcdClient(methods, new EtcdEndpoints(connections, login), timeoutMs);
  }

  /** The endpoint in use. */
  get endpoint(): string {
    return this.#endpoints.connection.endpoint;
  }

  /** Resolves to the entry of a key, or of all keys that begin like it, as the whole cluster knows them (linearizable). */
  async range(
    key: string,
    { isPrefix, limit, after }: RangeOptions = {},
  ): Promise<Answer & { readonly entries: readonly KeyValue[]; readonly isMore: boolean }> {
    const request = { ...rangeOf(key, isPrefix, after), limit };
    const { answer, response } = await this.#ask(this.#methods.range, request, true);
    return { ...answer, entries: response.kvs.map(toKeyValue), isMore: response.more };
  }

  /**
   * Resolves to whether all comparisons were true, and to what the operations that were carried out found. It is sent to another
   * endpoint only if it cannot have been carried out; otherwise it rejects with an EtcdError whose `isOutcomeUnknown` is true.
   */
  async txn({
    compare,
    success,
    failure = [],
  }: Transaction): Promise<Answer & { readonly succeeded: boolean; readonly results: readonly TxnResult[] }> {
    const request = {
      compare: compare.map(toRawCompare),
      success: success.map(toRawOperation),
      failure: failure.map(toRawOperation),
    };
    const { answer, response } = await this.#ask(this.#methods.txn, request, false);
    return { ...answer, succeeded: response.succeeded, results: response.responses.map(toResult) };
  }

  /** Resolves to a new lease. If an answer was lost there is a second one that nobody uses; it ends by itself. */
  async grantLease(ttlSeconds: number): Promise<Answer & { readonly id: string; readonly ttlSeconds: number }> {
    const { answer, response } = await this.#ask(this.#methods.leaseGrant, { TTL: ttlSeconds }, true);
    return { ...answer, id: response.ID, ttlSeconds: Number(response.TTL) };
  }

  /** Resolves once the lease and its keys are gone, or were before. */
  async revokeLease(id: string): Promise<void> {
    try {
      await this.#ask(this.#methods.leaseRevoke, { ID: id }, true);
    } catch (error) {
      if (!(error as Error).message.includes('requested lease not found')) throw error;
    }
  }

  /**
   * Resolves to how long the lease lasts from when the request was sent, 0 if it is gone. `sentMs` is that time by
   * `performance.now`, `sentWallMs` by the wall clock.
   */
  keepAlive(
    id: string,
  ): Promise<{ readonly ttlSeconds: number; readonly sentMs: number; readonly sentWallMs: number }> {
    return this.#endpoints.tryEach(async (connection, token) => {
      const leases = this.#leasesAt(connection, token);
      const sent = { sentMs: performance.now(), sentWallMs: Date.now() };
      const { TTL } = await leases.ask(id);
      return { ttlSeconds: Number(TTL), ...sent };
    }, true);
  }

  /** Tells of changes until it fails, or until the function that it returns is called. */
  watch({ key, isPrefix, fromRevision }: WatchedKeys, listener: ChangeListener): () => void {
    const stop = startWatch(this.#endpoints, {
      method: this.#methods.watch,
      timeoutMs: this.#timeoutMs,
      createRequest: { ...rangeOf(key, isPrefix), startRevision: fromRevision },
      listener: {
        received: ({ events }) => listener.changed(events.map(toEvent)),
        failed: (error) => {
          this.#stopWatches.delete(stop);
          listener.failed(error);
        },
      },
    });
    this.#stopWatches.add(stop);
    return () => {
      this.#stopWatches.delete(stop);
      stop();
    };
  }

  /** Resolves to what the endpoint in use knows by itself, without asking the others. */
  async status(): Promise<EtcdStatus> {
    return await this.#endpoints.tryEach(async (connection, token) => {
      const { version, dbSize, leader, errors } = await connection.call(this.#methods.status, {}, token);
      return { endpoint: connection.endpoint, version, dbBytes: Number(dbSize), isLeaderKnown: leader !== '0', errors };
    }, true);
  }

  /** Ends all calls, streams and connections. Watches hear nothing more. */
  close(): void {
    for (const stop of this.#stopWatches) stop();
    this.#leases?.close(new EtcdError('failed', 'the client of etcd is closed'));
    this.#endpoints.close();
  }

  async #ask<Request, Response extends { readonly header: Header }>(
    method: EtcdMethod<Request, Response>,
    request: Request,
    isRepeatable: boolean,
  ): Promise<{ readonly answer: Answer; readonly response: Response }> {
    return await this.#endpoints.tryEach(async (connection, token) => {
      const knownRevision = this.#knownRevision;
      const response = await connection.call(method, request, token);
      const answer = { revision: Number(response.header.revision), clusterId: response.header.clusterId };
      this.#knownRevision = Math.max(knownRevision, this.#knownRevision, answer.revision);
      this.onAnswer?.(answer, knownRevision);
      return { answer, response };
    }, isRepeatable);
  }

  #leasesAt(connection: EtcdConnection, token: string | undefined): LeaseStream {
    if (this.#leases?.connection === connection && this.#leases.isOpen) return this.#leases;
    this.#leases?.close(new EtcdError('failed', 'another endpoint of etcd is in use'));
    this.#leases = new LeaseStream(this.#methods.leaseKeepAlive, connection, token, this.#timeoutMs);
    return this.#leases;
  }
}

function toEvent({ type, kv }: WatchResponse['events'][number]): WatchEvent {
  return { type: type === DELETE_EVENT ? 'delete' : 'put', entry: toKeyValue(kv), revision: Number(kv.modRevision) };
}

function checkEndpoint(endpoint: string): void {
  const isRight = /^https?:\/\/(\[[0-9a-f:.]+\]|[^\s/:@[\]]+):\d+$/i.test(endpoint) && URL.canParse(endpoint);
  if (!isRight) throw new RangeError(`endpoints has ${endpoint}; expected http://host:port or https://host:port`);
}
