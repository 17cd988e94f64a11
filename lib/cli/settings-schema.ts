/**
 * The schema of the settings. In each property `description` is what is expected there, and `title` one sentence about it: error messages
 * and docs/settings.md are made of them.
 */

import type { JsonSchema } from '../message/validation.ts';
import { DEFAULT_HANDSHAKE_TIMEOUT_MS } from '../transports/tls.ts';
import { clusterSchema } from './cluster-settings.ts';
import { limitsSchema } from './limits-schema.ts';
import { listenerSchema } from './listener-schema.ts';
import { addresses, flag, fromOne, fromZero, group, host, names, port, text, tlsSchema } from './schema-parts.ts';

/** Where the status page is unless another port is asked for. */
export const DEFAULT_HTTP_PORT = 20_935;
const MAX_GROUPS = 100;
const MAX_DRAIN_SECONDS = 86_400;

/** The listeners that people can switch on: the ancestors' ports, a Unix socket, and WebSocket. */
const DEFAULT_LISTENERS: readonly object[] = [
  { enabled: false, transport: 'tcp', port: 9_999, protocols: ['line'], dialect: 'glockd' },
  { enabled: false, transport: 'tcp', port: 2_626, protocols: ['line'], dialect: 'lockd' },
  { enabled: false, transport: 'unix', path: '/run/holdfast/holdfast.sock', mode: '0600' },
  { enabled: false, transport: 'websocket', port: 9_998 },
];

const http = group({
  host: { ...host, default: '127.0.0.1', title: 'The address of the status page, the metrics and the health checks.' },
  port: { ...port, default: DEFAULT_HTTP_PORT, title: 'Their port; 0 is none, "auto" lets the system choose.' },
  hosts: names('a list of host names', 'Names by which browsers and monitors may call it.'),
  allowed: { ...addresses, title: 'Who may ask there; by default whom `allowed` names.' },
  maxConnections: { ...fromOne(64), title: 'How many connections it takes.' },
});

const nameGroup: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['match', 'name'],
  properties: {
    match: { type: 'string', minLength: 1, maxLength: 256, description: 'names, in which * stands for any text' },
    name: { type: 'string', minLength: 1, maxLength: 64, description: 'the name of the group' },
  },
  description: 'a group: {"match": "account *", "name": "account"}',
};

const metrics = group({
  groups: {
    type: 'array',
    maxItems: MAX_GROUPS,
    items: nameGroup,
    default: [],
    description: `a list of at most ${MAX_GROUPS} groups`,
    title: 'Groups of locks, which the metrics tell together.',
  },
});

const history = group({
  enabled: flag(true, 'Whether the server remembers what happened to locks.'),
  maxRecords: { ...fromOne(100_000), title: 'How many records are kept in memory.' },
  minHeldMs: {
    ...fromZero(100),
    title: 'A hold that was released within so many milliseconds, and was not waited for, gets no record.',
  },
  everything: flag(false, 'Whether each hold and each refused request gets a record.'),
  directory: text('a directory', 'Has files with all records; empty for none.'),
  maxFileBytes: { ...fromOne(16_777_216), title: 'How large a file gets, about, before the next one begins.' },
  maxFiles: { ...fromOne(16), title: 'How many files are kept.' },
});

export const settingsSchema: JsonSchema = {
  type: 'object',
  description: 'an object',
  additionalProperties: false,
  properties: {
    host: { ...host, default: '127.0.0.1', title: 'Where to listen.' },
    port: { ...port, default: 20_934, title: 'The port; 0 is none, "auto" lets the system choose.' },
    allowed: { ...addresses, default: ['127.0.0.1', '::1'], title: 'Addresses and ranges that may connect.' },
    listeners: {
      type: 'array',
      items: listenerSchema,
      default: DEFAULT_LISTENERS,
      description: 'a list of listeners',
      title: 'Further ways to connect.',
    },
    origins: names('a list of origins', 'Origins of the pages that may connect by WebSocket.'),
    hosts: names('a list of host names', 'Names by which pages of the server itself may call it.'),
    tls: { ...tlsSchema, default: {} },
    http,
    metrics,
    pidfile: text('a file', 'Has the process id and keeps a second server out; empty for none.'),
    stateDirectory: text('a directory', 'Keeps what outlives the process; empty for none.'),
    cluster: clusterSchema,
    user: text('the name or number of a user', 'The user to become once all listeners are open; empty for no change.'),
    group: text('the name or number of a group', 'The group to become with it.'),
    dump: flag(true, 'Whether clients may ask who holds what.'),
    registry: flag(true, 'Whether clients may register names.'),
    forceUnlock: flag(false, 'Whether all clients may take locks away from others.'),
    verbose: flag(false, 'Whether to log connections and other details too.'),
    drainSeconds: {
      type: 'number',
      minimum: 0,
      maximum: MAX_DRAIN_SECONDS,
      default: 0,
      description: `a number of seconds from 0 to ${MAX_DRAIN_SECONDS}`,
      title: 'How long the server waits for holders to release their locks when it is told to stop.',
    },
    handshakeTimeoutMs: {
      ...fromOne(DEFAULT_HANDSHAKE_TIMEOUT_MS),
      title: 'How many milliseconds a handshake of TLS or WebSocket, or the header of a proxy, may take.',
    },
    history,
    log: group({
      waitsOver: { ...fromZero(0), title: 'A request that waits for so many milliseconds gets a line; 0 for none.' },
    }),
    limits: limitsSchema,
  },
};
