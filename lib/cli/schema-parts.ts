/** The parts of which the schemas of the settings are made. */

import type { JsonSchema } from '../message/validation.ts';

/** A text, empty by default. */
export function text(description: string, title: string): JsonSchema {
  return { type: 'string', default: '', description, title };
}

/** True or false. */
export function flag(value: boolean, title: string): JsonSchema {
  return { type: 'boolean', default: value, description: 'true or false', title };
}

export const host: JsonSchema = { type: 'string', minLength: 1, description: 'an address or a host name' };

export const port: JsonSchema = {
  anyOf: [{ type: 'integer', minimum: 0, maximum: 65_535 }, { const: 'auto' }],
  description: 'a whole number from 0 to 65535, or "auto"',
};

export const addresses: JsonSchema = {
  type: 'array',
  items: { type: 'string', description: 'an address or a CIDR range, a string' },
  description: 'a list of addresses and CIDR ranges',
};

/** Names, none by default. */
export function names(description: string, title: string): JsonSchema {
  const items = { type: 'string', minLength: 1, description: 'a string' };
  return { type: 'array', items, default: [], description, title };
}

/** A whole number that a timer can wait. */
export function fromOne(value: number): JsonSchema {
  return {
    type: 'integer',
    minimum: 1,
    maximum: 2 ** 31 - 1,
    default: value,
    description: 'a whole number from 1 to 2147483647',
  };
}

/** The same, or 0. */
export function fromZero(value: number): JsonSchema {
  return { ...fromOne(value), minimum: 0, description: 'a whole number from 0 to 2147483647' };
}

/** Settings that belong together, each with its default. */
export function group(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: 'object', additionalProperties: false, properties, default: {}, description: 'an object' };
}

export const tlsSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    cert: text('a file', 'The certificate in PEM, with those between it and its authority; empty for no TLS.'),
    key: text('a file', 'The key of the certificate.'),
    ca: text('a file', 'If it is set, clients must have a certificate from one of these authorities.'),
  },
  description: 'an object',
};
