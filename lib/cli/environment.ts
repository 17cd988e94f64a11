/** Settings in the environment: `HOLDFAST_LIMITS_MAX_LOCKS=5` is `limits.maxLocks`. */

import { show } from '../message/show.ts';
import type { JsonSchema } from '../message/validation.ts';
import { type ListedSetting, SETTINGS, variableOf } from './setting-list.ts';
import { checkSetting, SettingsError } from './settings.ts';

const PREFIX = 'HOLDFAST_';
/** Those of the command line for people, and of the sockets of clients and servers. */
const NO_SETTINGS = ['HOLDFAST_SERVER', 'HOLDFAST_LOCK', 'HOLDFAST_TOKEN', 'HOLDFAST_WAITED_MS', 'HOLDFAST_SOCKETS'];
/** Kubernetes sets `HOLDFAST_PORT=tcp://10.0.0.9:20934` in each pod beside a service named `holdfast`. */
const SERVICE_LINK = /^(tcp|udp|sctp):\/\//;

/** What the environment says. */
export interface Environment {
  /** Values of settings by their paths, checked one by one. */
  readonly values: ReadonlyMap<string, unknown>;
  /** Variables that begin like those of settings and are none. */
  readonly ignored: readonly string[];
}

/** Reads the settings among the variables. @throws SettingsError that names the variable with a wrong value. */
export function readEnvironment(variables: NodeJS.ProcessEnv): Environment {
  const settings = new Map(SETTINGS.map((setting) => [variableOf(setting.path), setting]));
  const values = new Map<string, unknown>();
  const ignored: string[] = [];
  for (const [variable, text = ''] of Object.entries(variables)) {
    if (!variable.startsWith(PREFIX) || NO_SETTINGS.includes(variable)) continue;
    const setting = settings.get(variable);
    if (setting === undefined || isServiceLink(setting, text)) ignored.push(variable);
    else values.set(setting.path, readValue(variable, setting, text));
  }
  return { values, ignored };
}

function isServiceLink({ path }: ListedSetting, text: string): boolean {
  return /port$/i.test(path) && SERVICE_LINK.test(text);
}

/** @throws SettingsError that names the variable. */
function readValue(variable: string, { path, schema }: ListedSetting, text: string): unknown {
  const value = parse(variable, schema, text);
  checkSetting(path, value, variable);
  return value;
}

/** A text that is no value of the setting stays as it is: the check tells what was expected. */
function parse(variable: string, schema: JsonSchema, text: string): unknown {
  const { type, items } = schema as { readonly type?: string; readonly items?: JsonSchema };
  if (type === 'boolean') return text === 'true' || text === 'false' ? text === 'true' : text;
  if (type === 'string') return text;
  if (type === 'array') return items?.type === 'object' ? parseJson(variable, schema, text) : splitList(text);
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function splitList(text: string): string[] {
  if (text.trim() === '') return [];
  return text.split(',').map((entry) => entry.trim());
}

function parseJson(variable: string, { description }: JsonSchema, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SettingsError(
      `${variable} is ${show(text)}; expected ${String(description)} in JSON: ${(error as Error).message}`,
    );
  }
}
