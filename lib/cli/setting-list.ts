/** All settings in one list, and how each is named in the environment. */

import type { JsonSchema } from '../message/validation.ts';
import { listenerSchema } from './listener-schema.ts';
import { settingsSchema } from './settings-schema.ts';

/** A setting that has no settings below it. */
export interface ListedSetting {
  /** `limits.maxLocks` */
  readonly path: string;
  readonly schema: JsonSchema;
}

/** Each setting but those of a listener. */
export const SETTINGS: readonly ListedSetting[] = listBelow('', settingsSchema);

/** The settings of each of the `listeners`. */
export const LISTENER_SETTINGS: readonly ListedSetting[] = listBelow('', listenerSchema);

function listBelow(prefix: string, { properties }: JsonSchema): readonly ListedSetting[] {
  return Object.entries(properties as Readonly<Record<string, JsonSchema>>).flatMap(([name, schema]) => {
    const path = prefix + name;
    return schema.properties === undefined ? [{ path, schema }] : listBelow(`${path}.`, schema);
  });
}

/** `HOLDFAST_LIMITS_MAX_LOCKS` for `limits.maxLocks`. */
export function variableOf(path: string): string {
  const words = path.replaceAll('.', '_').replace(/[A-Z]/g, (letter) => `_${letter}`);
  return `HOLDFAST_${words.toUpperCase()}`;
}

/** The value of a setting; undefined if it is left out. */
export function valueAt(settings: unknown, path: string): unknown {
  let value = settings;
  for (const name of path.split('.')) value = (value as Readonly<Record<string, unknown>> | undefined)?.[name];
  return value;
}

/** Sets a setting, in settings that nobody else has. A value on the way that cannot have members stays, since it is wrong anyway. */
export function setValue(settings: object, path: string, value: unknown): void {
  const names = path.split('.');
  const last = names.pop() as string;
  let place = settings as Record<string, unknown>;
  for (const name of names) {
    if (place[name] === undefined) place[name] = {};
    const next = place[name];
    if (typeof next !== 'object' || next === null) return;
    place = next as Record<string, unknown>;
  }
  if (value === undefined) delete place[last];
  else place[last] = value;
}
