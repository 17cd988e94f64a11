/** What a message server counts. */

/** What a server has counted since it was made. */
export interface MessageCounters {
  /** Connections accepted so far. */
  connections: number;
  /** Connections that were turned away, and commands that were refused, by reason. */
  readonly refusals: Readonly<Record<string, number>>;
  unknownCommands: number;
  /** Messages that could not be understood, and requests with wrong parameters. */
  invalidRequests: number;
  /** Handlers that threw. */
  failedRequests: number;
}

/** Counters that start at nothing. The refusals are counted elsewhere. */
export function newMessageCounters(refusals: Readonly<Record<string, number>>): MessageCounters {
  return {
    connections: 0,
    refusals,
    unknownCommands: 0,
    invalidRequests: 0,
    failedRequests: 0,
  };
}
