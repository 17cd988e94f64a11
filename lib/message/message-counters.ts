/** What a message server counts. */

/** What a server has counted since it was made. */
export interface MessageCounters {
  /** Connections accepted so far. */
  connections: number;
  /** Connections closed by the allow-list. */
  refusedConnections: number;
  /** Connections closed because there were too many. */
  excessConnections: number;
  /** Connections closed because their first byte belongs to no protocol of ours. */
  unknownProtocols: number;
  unknownCommands: number;
  /** Messages that could not be understood, and requests with wrong parameters. */
  invalidRequests: number;
  /** Handlers that threw. */
  failedRequests: number;
}

/** Counters that start at nothing. */
export function newMessageCounters(): MessageCounters {
  return {
    connections: 0,
    refusedConnections: 0,
    excessConnections: 0,
    unknownProtocols: 0,
    unknownCommands: 0,
    invalidRequests: 0,
    failedRequests: 0,
  };
}
