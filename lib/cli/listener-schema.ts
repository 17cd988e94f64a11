/** The schema of a listener. */

import type { JsonSchema } from '../message/validation.ts';
import { addresses, flag, host, port, tlsSchema } from './schema-parts.ts';

/** True or false, with a default that depends on others. */
const choice = (title: string): JsonSchema => ({ type: 'boolean', description: 'true or false', title });

export const listenerSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['transport'],
  description: 'an object',
  properties: {
    enabled: flag(true, 'Whether it listens.'),
    transport: {
      enum: ['tcp', 'unix', 'websocket'],
      description: '"tcp", "unix" or "websocket"',
      title: 'How clients connect; there is no default.',
    },
    host: { ...host, title: 'Where to listen; by default at `host`.' },
    port: { ...port, title: 'Its port; 0 is none, "auto" lets the system choose.' },
    allowed: { ...addresses, title: 'Who may connect; by default whom `allowed` names.' },
    proxied: choice(
      'Whether clients come through a proxy, which may close a connection of a client that is still there.',
    ),
    admin: choice('Whether its clients may use `forceUnlock` and `kill`; by default those of Unix sockets may.'),
    proxies: { ...addresses, title: 'Proxies that tell by the PROXY protocol where their clients are.' },
    protocols: {
      type: 'array',
      minItems: 1,
      items: { enum: ['ndjson', 'prefixed', 'line'], description: '"ndjson", "prefixed" or "line"' },
      description: 'a list of one protocol or more',
      title: 'The protocols that it serves; by default all, except `prefixed` by WebSocket.',
    },
    dialect: {
      enum: ['glockd', 'lockd'],
      description: '"glockd" or "lockd"',
      title: 'The dialect of the line protocol; by default that of glockd.',
    },
    path: { type: 'string', minLength: 1, description: 'a file', title: 'Unix sockets: the file.' },
    mode: {
      type: 'string',
      pattern: '^0?[0-7]{3}$',
      description: 'a mode in octal such as "0660"',
      title: 'Unix sockets: the mode of the file; by default "0600".',
    },
    owner: {
      type: 'string',
      pattern: '^[^:]+$',
      description: 'the name or number of a user',
      title: 'Unix sockets: the owner of the file; by default the user of the server.',
    },
    group: {
      type: 'string',
      pattern: '^[^:]+$',
      description: 'the name or number of a group',
      title: 'Unix sockets: the group of the file; by default the group of the server.',
    },
    tls: tlsSchema,
  },
};
