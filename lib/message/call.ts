/** Calls of a message client, as a client that is built on it makes and watches them. */

/** Every result has a status. */
export interface RpcResult {
  readonly status: string;
  readonly [key: string]: unknown;
}

/** One request of a client that is built on a `MessageClient`. */
export interface Call<Result> {
  readonly command: string;
  readonly parameters: object;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Converts the result at once, before the client reads anything else. */
  convert(result: RpcResult): Result;
  readonly watcher?: CallWatcher | undefined;
  /** When the connection is lost, the call waits for the next one, until then by `performance.now()`. Left out: it fails. */
  readonly keptUntilMs?: number;
  /** Whether it is made although `maxPendingRequests` are in flight. For what a client makes by itself, and never many of. */
  readonly isExempt?: boolean;
}

/** Learns when a call ends before its result has come. */
export interface CallWatcher {
  /** The call was given up; `id` is the one of its request. */
  gaveUp(call: Call<unknown>, id: number): void;
  /** The server has answered a call that was given up: with a result or, if that is undefined, an error. */
  answeredLate(call: Call<unknown>, result: RpcResult | undefined): void;
}

/** For a client that is built on a `MessageClient` and goes on with another connection when one is lost. */
export interface Persistence {
  /** Whether calls that are to be kept wait for the next connection; otherwise they fail as all others do. */
  readonly keepsCalls: boolean;
  /** A request goes out. */
  sent(id: number): unknown;
  /** A request was answered. */
  answered(id: number): unknown;
  /** This side is about to end the connection. Returns whether it has abandoned the connection instead. */
  leaves(reason: Error | undefined): boolean;
}

/** A call that the server has not answered. */
export interface UnansweredCall {
  readonly id: number;
  readonly call: Call<unknown>;
  /** Nobody waits for it any more. */
  readonly isGivenUp: boolean;
}
