/** The settings of a server that belongs to a cluster. */

import { hostname } from 'node:os';
import { show } from '../message/show.ts';
import type { JsonSchema, Problem } from '../message/validation.ts';
import type { LockServerLimits } from '../server/lock-server-limits.ts';
import { group, text } from './schema-parts.ts';

const MS_A_SECOND = 1_000;
/** A session must outlast an election and the way to the next leader. */
const LEASES_A_SESSION = 3;
const LEAST_LEASE_SECONDS = 2;
const LONGEST_LEASE_SECONDS = 60;

/** How a server reaches etcd and the other servers; a cluster has at least one URL of etcd. */
export interface ClusterSettings {
  /** `http://host:port` or `https://host:port` of each member of etcd. */
  readonly etcd: readonly string[];
  /** All keys in etcd begin like this. */
  readonly prefix: string;
  /** The name of this server in the cluster; the host's by default. */
  readonly node: string;
  /** Where clients reach this server: `host:port`. */
  readonly advertise: string;
  /** Where other servers forward connections to, at the host of `advertise`. */
  readonly forwardPort: number | 'auto';
  readonly leaseSeconds: number;
  /** Files in PEM, for https. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly user: string;
  readonly password: string;
}

export const clusterSchema: JsonSchema = group({
  etcd: {
    type: 'array',
    maxItems: 100,
    default: [],
    items: {
      type: 'string',
      pattern: '^https?://[^/]+:[0-9]+/?$',
      description: 'http://HOST:PORT or https://HOST:PORT',
    },
    description: 'a list of URLs of etcd',
    title: 'The members of etcd; with any, the server belongs to a cluster.',
  },
  prefix: {
    type: 'string',
    maxLength: 200,
    // Otherwise it would also be the beginning of another cluster's.
    pattern: '/$',
    default: 'holdfast/',
    description: 'the beginning of all keys, which ends with a slash',
    title: 'The beginning of all keys in etcd.',
  },
  node: {
    type: 'string',
    maxLength: 200,
    pattern: '^[^/]*$',
    default: '',
    description: 'a name without /',
    title: 'The name of this server in the cluster; if it is empty, that of the host.',
  },
  advertise: {
    type: 'string',
    pattern: '^$|^[^/ ]+:[0-9]+$',
    default: '',
    description: 'HOST:PORT',
    title: 'Where clients and the other servers reach this one; a cluster needs it.',
  },
  forwardPort: {
    anyOf: [{ type: 'integer', minimum: 1, maximum: 65_535 }, { const: 'auto' }],
    default: 'auto',
    description: 'a whole number from 1 to 65535, or "auto"',
    title: 'Where other servers forward connections to; "auto" lets the system choose.',
  },
  leaseSeconds: {
    type: 'integer',
    minimum: LEAST_LEASE_SECONDS,
    maximum: LONGEST_LEASE_SECONDS,
    default: 5,
    description: `a whole number of seconds from ${LEAST_LEASE_SECONDS} to ${LONGEST_LEASE_SECONDS}`,
    title: 'How long etcd keeps a leader that is silent.',
  },
  tls: group({
    ca: text('a file', 'The authorities of the certificate of etcd, in PEM.'),
    cert: text('a file', 'The certificate of this server for etcd, in PEM.'),
    key: text('a file', 'The key of that certificate.'),
  }),
  user: text('the name of a user of etcd', 'The user of etcd; empty for none.'),
  // Nobody is shown its value.
  password: { ...text('a password', 'The password of that user.'), writeOnly: true },
});

/** Whether the server belongs to a cluster. */
export function isClustered({ cluster }: { readonly cluster: ClusterSettings }): boolean {
  return cluster.etcd.length > 0;
}

/** The name of the server in the cluster. */
export function nodeName({ node }: ClusterSettings): string {
  return node === '' ? hostname() : node;
}

/** C6: no session of a cluster may be shorter, whatever the settings say of a single server. */
export function leastSessionTimeoutMs({ leaseSeconds }: ClusterSettings): number {
  return LEASES_A_SESSION * leaseSeconds * MS_A_SECOND;
}

/** Finds what no schema of a single setting can find. */
export function findClusterProblem(
  cluster: ClusterSettings,
  limits: Pick<LockServerLimits, 'maxSessionTimeoutMs'>,
): Problem | undefined {
  if (cluster.etcd.length === 0) return undefined;
  if (cluster.advertise === '') {
    const field = 'settings.cluster.advertise';
    return { field, message: `${field} is ""; expected HOST:PORT, where clients and the other servers reach this one` };
  }
  const leastMs = leastSessionTimeoutMs(cluster);
  if (limits.maxSessionTimeoutMs < leastMs) {
    const field = 'settings.limits.maxSessionTimeoutMs';
    const expected = `three times cluster.leaseSeconds, ${leastMs}, or more`;
    return { field, message: `${field} is ${limits.maxSessionTimeoutMs}; expected ${expected}` };
  }
  if ((cluster.tls.cert === '') !== (cluster.tls.key === '')) {
    const field = `settings.cluster.tls.${cluster.tls.cert === '' ? 'cert' : 'key'}`;
    return { field, message: `${field} is ${show('')}; expected a file, since a certificate needs its key` };
  }
  return undefined;
}
