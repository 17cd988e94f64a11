/** What differs between two readings of the settings, and what of it a running server can take up. */

import { isDeepStrictEqual } from 'node:util';
import { FIXED_LIMITS } from '../server/lock-server-limits.ts';
import { isClustered } from './cluster-settings.ts';
import { LISTENER_SETTINGS, type ListedSetting, SETTINGS, setValue, valueAt } from './setting-list.ts';
import type { Settings } from './settings.ts';

/** From when on a changed setting holds: for `newConnections` those that are open stay as they are. */
export type Effect = 'atOnce' | 'newConnections' | 'restart';

/** A setting that differs. */
export interface SettingChange {
  /** `limits.maxLocks`, or `listeners[0].allowed`. */
  readonly path: string;
  readonly was: unknown;
  readonly is: unknown;
  readonly isApplied: boolean;
}

const AT_ONCE = ['http.hosts', 'metrics.groups', 'verbose', 'drainSeconds', 'log.waitsOver'];
const NEW_CONNECTIONS = ['allowed', 'origins', 'hosts', 'http.allowed'];
const LISTENER_NEW_CONNECTIONS = ['allowed', 'proxies'];
const TLS = /^tls\.(cert|key|ca)$/;

/** From when on a change of the setting holds that SIGHUP brings. */
export function effectOf(path: string): Effect {
  const [group, name = ''] = path.split('.');
  if (group === 'limits') return FIXED_LIMITS.some((limit) => limit === name) ? 'restart' : 'atOnce';
  if (AT_ONCE.includes(path)) return 'atOnce';
  return NEW_CONNECTIONS.includes(path) || TLS.test(path) ? 'newConnections' : 'restart';
}

/** The same for a setting of one of the `listeners`. */
export function effectInListener(path: string): Effect {
  return LISTENER_NEW_CONNECTIONS.includes(path) || TLS.test(path) ? 'newConnections' : 'restart';
}

/** Lists what differs, in the order of the settings. */
export function findChanges(before: Settings, after: Settings): readonly SettingChange[] {
  return SETTINGS.flatMap((setting) => {
    const { path } = setting;
    if (path === 'listeners') return findListenerChanges(before, after);
    // The servers of a cluster must agree on their limits, and compare them when they join it.
    const isAgreed = path.startsWith('limits.') && isClustered(before);
    return compare(path, setting, before, after, isAgreed ? 'restart' : effectOf(path));
  });
}

function findListenerChanges(
  { listeners: before }: Settings,
  { listeners: after }: Settings,
): readonly SettingChange[] {
  if (before.length !== after.length) {
    return [{ path: 'listeners', was: before, is: after, isApplied: false }];
  }
  return before.flatMap((listener, index) =>
    LISTENER_SETTINGS.flatMap((setting) => {
      const { path } = setting;
      return compare(`listeners[${index}].${path}`, setting, listener, after[index], effectInListener(path));
    }),
  );
}

function compare(shown: string, { path, schema }: ListedSetting, before: unknown, after: unknown, effect: Effect) {
  const [was, is] = [valueAt(before, path), valueAt(after, path)];
  if (isDeepStrictEqual(was, is)) return [];
  // A listener cannot begin or cease to speak TLS, to ask clients for certificates or, since that needs `proxied`, to trust proxies. Nor to
  // have a `tls` of its own: it may speak TLS by that of the main port.
  const isSwitch = (TLS.test(path) || path === 'proxies') && switchOf(was) !== switchOf(is);
  const isApplied = effect !== 'restart' && !isSwitch;
  const [hiddenWas, hiddenIs] = schema.writeOnly === true ? ['(not shown)', '(not shown)'] : [was, is];
  return [{ path: shown, was: hiddenWas, is: hiddenIs, isApplied }];
}

function switchOf(value: unknown): 'leftOut' | 'off' | 'on' {
  if (value === undefined) return 'leftOut';
  return value === '' ? 'off' : 'on';
}

/** The settings with those of the changes that a running server can take up. */
export function withApplied(settings: Settings, changes: readonly SettingChange[]): Settings {
  const applied = structuredClone(settings);
  for (const { path, is, isApplied } of changes) {
    if (!isApplied) continue;
    const [, index, member] = /^listeners\[(\d+)\]\.(.+)$/.exec(path) ?? [];
    if (index === undefined || member === undefined) setValue(applied, path, is);
    else setValue(applied.listeners[Number(index)] as object, member, is);
  }
  return applied;
}
