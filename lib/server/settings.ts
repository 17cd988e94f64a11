/** The settings of the server program: what they are, what they must look like and what they are without being set. */

import { readFileSync } from 'node:fs';
import { type JsonSchema, SchemaCompiler } from '../message/validation.ts';
import { DEFAULT_LOCK_SERVER_LIMITS, type LockServerLimits } from './lock-server.ts';

/** Everything that can be set; `config/settings.json` has each with its default. */
export interface Settings {
  /** The address to listen on. */
  readonly host: string;
  /** The TCP port; 0 lets the system choose. */
  readonly port: number;
  /** Addresses and CIDR ranges that may connect. */
  readonly allowed: readonly string[];
  /** Log connections and other details too. */
  readonly verbose: boolean;
  /** How long holders may take to release when the server is told to stop, in seconds. */
  readonly drainSeconds: number;
  readonly limits: LockServerLimits;
}

/** What the command line may set. */
export type SettingsOverrides = Partial<Pick<Settings, 'host' | 'port' | 'allowed' | 'verbose'>>;

/** The settings are wrong, or cannot be read; the message is one line for people. */
export class SettingsError extends Error {
  override readonly name: string = 'SettingsError';
}

const MAX_DRAIN_SECONDS = 86_400;

const limitSchemas = Object.fromEntries(
  Object.entries(DEFAULT_LOCK_SERVER_LIMITS).map(([name, value]) => [
    name,
    {
      type: 'integer',
      minimum: 1,
      maximum: 2 ** 31 - 1,
      default: value,
      description: 'a whole number from 1 to 2147483647',
    },
  ]),
);

const schema: JsonSchema = {
  type: 'object',
  description: 'an object',
  additionalProperties: false,
  properties: {
    host: { type: 'string', minLength: 1, default: '127.0.0.1', description: 'an address or a host name' },
    port: {
      type: 'integer',
      minimum: 0,
      maximum: 65_535,
      default: 20_934,
      description: 'a whole number from 0 to 65535',
    },
    allowed: {
      type: 'array',
      items: { type: 'string', description: 'an address or a CIDR range, a string' },
      default: ['127.0.0.1', '::1'],
      description: 'a list of addresses and CIDR ranges',
    },
    verbose: { type: 'boolean', default: false, description: 'true or false' },
    drainSeconds: {
      type: 'number',
      minimum: 0,
      maximum: MAX_DRAIN_SECONDS,
      default: 0,
      description: `a number of seconds from 0 to ${MAX_DRAIN_SECONDS}`,
    },
    limits: {
      type: 'object',
      additionalProperties: false,
      properties: limitSchemas,
      default: {},
      description: 'an object',
    },
  },
};

/**
 * The settings of a file, with what the command line says instead and defaults for what nobody says.
 * @throws SettingsError when the file cannot be read or a setting is unknown or wrong.
 */
export function loadSettings(file: string, overrides: SettingsOverrides = {}): Settings {
  const settings = { ...readSettingsFile(file), ...overrides };
  const problem = new SchemaCompiler('fillDefaults').compile(schema, 'settings').check(settings)?.[0];
  if (problem !== undefined) throw new SettingsError(`${file}: ${problem.message}`);
  const { limits } = settings as unknown as Settings;
  if (limits.hardOutputBytes <= limits.softOutputBytes) {
    const expected = `a number above settings.limits.softOutputBytes, ${limits.softOutputBytes}`;
    throw new SettingsError(
      `${file}: settings.limits.hardOutputBytes is ${limits.hardOutputBytes}; expected ${expected}`,
    );
  }
  return settings as unknown as Settings;
}

function readSettingsFile(file: string): object {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SettingsError(`cannot read the settings: ${(error as Error).message}`);
  }
  try {
    const settings: unknown = JSON.parse(text);
    if (typeof settings === 'object' && settings !== null && !Array.isArray(settings)) return settings;
  } catch (error) {
    throw new SettingsError(`${file}: not JSON: ${(error as Error).message}`);
  }
  throw new SettingsError(`${file}: expected an object of settings`);
}
