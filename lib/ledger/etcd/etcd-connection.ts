/** One endpoint of etcd: calls and streams over gRPC. */

import type * as Grpc from '@grpc/grpc-js';
import { EtcdError, type Failure, toEtcdError } from './etcd-error.ts';
import type { EtcdMethod } from './etcd-messages.ts';

/** The library, loaded when it is needed. */
export type GrpcLibrary = typeof Grpc;

/** What connections to etcd need to know. */
export interface ConnectionOptions {
  /** How long the endpoint may take for an answer, connecting included. */
  readonly timeoutMs: number;
  /** For https: who signs etcd's certificate, and our own, in PEM. */
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer } | undefined;
}

/** Both directions of a stream, until it is over. */
export interface EtcdStream<Request> {
  send(request: Request): void;
  /** Ends it; the listener hears nothing more. */
  close(): void;
  /** The same, because what was sent was not answered in time. Returns an error that says so. */
  giveUp(): EtcdError;
}

/** Who hears of a stream. */
export interface StreamListener<Response> {
  received(response: Response): void;
  /** The stream is over; called once. */
  failed(error: EtcdError): void;
}

/** How much an answer may take, in bytes: etcd's requests take 1.5 MB, and one answer may bring many keys. */
const MAX_ANSWER_BYTES = 64 * 2 ** 20;
/** etcd closes connections that are pinged more often than every 5 s. */
const PING_MS = 6_000;

export class EtcdConnection {
  /** As in the settings. */
  readonly endpoint: string;
  readonly #grpc: GrpcLibrary;
  readonly #timeoutMs: number;
  readonly #credentials: Grpc.ChannelCredentials;
  #client: Grpc.Client;

  /** Connects when it is first used, and again when the connection was lost. @throws EtcdError `certificate` when it is unusable. */
  constructor(grpc: GrpcLibrary, endpoint: string, { timeoutMs, tls }: ConnectionOptions) {
    this.#grpc = grpc;
    this.endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
    const isSecure = endpoint.toLowerCase().startsWith('https:');
    this.#credentials = isSecure ? secureCredentials(grpc, endpoint, tls) : grpc.credentials.createInsecure();
    this.#client = this.#makeClient();
  }

  /** Resolves to the answer. Rejects with an EtcdError. */
  call<Request, Response>(
    { path, requestSerialize, responseDeserialize }: EtcdMethod<Request, Response>,
    request: Request,
    token: string | undefined,
  ): Promise<Response> {
    const deadline = Date.now() + this.#timeoutMs;
    const client = this.#client;
    return new Promise((resolve, reject) => {
      const done: Grpc.requestCallback<Response> = (error, response) => {
        if (error === null && response !== undefined) {
          resolve(response);
          return;
        }
        if (error?.code === this.#grpc.status.DEADLINE_EXCEEDED) this.#abandon(client);
        reject(this.#errorOf(error));
      };
      const metadata = this.#metadata(token);
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, { deadline }, done);
    });
  }

  /** Opens a stream. Whoever opens it limits how long it waits for what it has asked. */
  stream<Request, Response>(
    { path, requestSerialize, responseDeserialize }: EtcdMethod<Request, Response>,
    token: string | undefined,
    listener: StreamListener<Response>,
  ): EtcdStream<Request> {
    const metadata = this.#metadata(token);
    const client = this.#client;
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
    let state: 'open' | 'over' = 'open';
    const fail = (failure: Failure | null): void => {
      if (state === 'over') return;
      state = 'over';
      listener.failed(this.#errorOf(failure));
    };
    stream.on('data', (response: Response) => {
      if (state === 'open') listener.received(response);
    });
    stream.on('error', (error: Grpc.ServiceError) => fail(error));
    stream.on('end', () => fail(null));
    const close = (): void => {
      state = 'over';
      stream.cancel();
    };
    return {
      send: (request) => {
        if (state === 'open') stream.write(request);
      },
      close,
      giveUp: () => {
        close();
        this.#abandon(client);
        return this.#errorOf({ code: this.#grpc.status.DEADLINE_EXCEEDED, details: '' });
      },
    };
  }

  close(): void {
    this.#client.close();
  }

  #makeClient(): Grpc.Client {
    const address = this.endpoint.replace(/^https?:\/\//i, '');
    return new this.#grpc.Client(address, this.#credentials, {
      'grpc.keepalive_time_ms': PING_MS,
      'grpc.keepalive_timeout_ms': this.#timeoutMs,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
      'grpc.max_receive_message_length': MAX_ANSWER_BYTES,
      // Only the client knows what may be sent twice.
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.enable_http_proxy': 0,
      // A connection that is given up must not be found again.
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  /** The next call dials anew, because a connection to a host that has vanished would swallow each call for many minutes. */
  #abandon(client: Grpc.Client): void {
    if (client !== this.#client) return;
    client.close();
    this.#client = this.#makeClient();
  }

  #errorOf(error: Failure | null): EtcdError {
    const failure = error ?? { code: this.#grpc.status.UNAVAILABLE, details: 'the stream was ended' };
    return toEtcdError(this.endpoint, failure, this.#timeoutMs);
  }

  #metadata(token: string | undefined): Grpc.Metadata {
    const metadata = new this.#grpc.Metadata();
    // A member that has lost its leader refuses the call, instead of leaving it without an answer.
    metadata.set('hasleader', 'true');
    if (token !== undefined) metadata.set('token', token);
    return metadata;
  }
}

function secureCredentials(
  grpc: GrpcLibrary,
  endpoint: string,
  { ca, key, cert }: NonNullable<ConnectionOptions['tls']> = {},
): Grpc.ChannelCredentials {
  try {
    return grpc.credentials.createSsl(ca ?? null, key ?? null, cert ?? null);
  } catch (error) {
    const why = (error as Error).message;
    throw new EtcdError(
      'certificate',
      `the certificate or key for etcd at ${endpoint} is unusable: ${why}`,
      false,
      error,
    );
  }
}
