/** What the key of the leader says. */

/** Where the leader is, for clients and for the nodes that stand by. */
export interface LeaderRecord {
  readonly node: string;
  /** Where clients reach it: `host:port`. */
  readonly address: string;
  /** Where other nodes forward connections to: `host:port`. */
  readonly forward: string;
  /** Shows that a forwarded connection comes from somebody who may read etcd. */
  readonly secret: string;
}

/** A leader, with the create revision of its key: greater for each that follows. */
export interface Leader extends LeaderRecord {
  readonly epoch: number;
}

export function toText({ node, address, forward, secret }: LeaderRecord): string {
  return JSON.stringify({ node, address, forward, secret });
}

/** Undefined for a value that no node of this version wrote. */
export function toLeader(value: string, epoch: number): Leader | undefined {
  try {
    const { node, address, forward, secret } = JSON.parse(value) as Record<string, unknown>;
    const isWhole = [node, address, forward, secret].every((each) => typeof each === 'string' && each !== '');
    return isWhole ? ({ node, address, forward, secret, epoch } as Leader) : undefined;
  } catch {
    return undefined;
  }
}
