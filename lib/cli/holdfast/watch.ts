/** `holdfast watch`: what happens to locks, as it happens. */

import type { LockClient } from '../../client/lock-client.ts';
import { refusal } from '../../client/lock-error.ts';
import type { WatchedEvent } from '../../protocol.ts';
import { HOLDFAST_CODES } from './exit-codes.ts';
import { follow, isWithoutServer, noteOnStandardError } from './follow.ts';
import { showClient, showDuration, showMoment, showName } from './format.ts';
import { print, printJson, type QueryOptions } from './query.ts';

const KIND_CHARACTERS = 'release'.length;

/** What a command line of `watch` says. */
export interface WatchOptions extends QueryOptions {
  readonly prefix?: string;
  /** After so many events the program ends. */
  readonly max?: number;
}

/** What the server tells: what happened, or how many events this program was too slow for. */
type Told = WatchedEvent | { readonly event: 'missed'; readonly count?: number };

/** Prints what happens until a signal ends the program, or `max` events, over lost connections. Rejects when the server does not tell. */
export async function watch(name: string | undefined, options: WatchOptions): Promise<number> {
  const { prefix, json, max = Number.POSITIVE_INFINITY } = options;
  const tell = json === true ? tellAsJson : tellPeople;
  const about = { lockName: name, prefix };
  return await follow(options, noteOnStandardError, (client) => tellUntil(client, about, max, tell));
}

/** Resolves to 0 once so many events were told. */
function tellUntil(client: LockClient, about: object, max: number, tell: (told: Told) => void): Promise<number> {
  let left = max;
  return new Promise((resolve, reject) => {
    const begin = (): void => {
      beginWatch(client, about).catch((error: unknown) => {
        if (!isWithoutServer(error)) reject(error);
      });
    };
    client.on('event', (event) => {
      if (left === 0 || (event.event !== 'watched' && event.event !== 'missed')) return;
      tell(event as unknown as Told);
      if (event.event === 'watched') left -= 1;
      if (left === 0) resolve(HOLDFAST_CODES.ok);
    });
    client.on('connect', () => {
      // Nobody knows how much happened meanwhile.
      tell({ event: 'missed' });
      begin();
    });
    begin();
  });
}

async function beginWatch(client: LockClient, about: object): Promise<void> {
  const result = await client.rpc('watch', about);
  if (result.status !== 'ok') throw refusal(result, 'watch was refused');
}

function tellAsJson(told: Told): void {
  const { event, ...rest } = told;
  printJson([event === 'missed' ? { kind: event, ...rest } : rest]);
}

function tellPeople(told: Told): void {
  if (told.event === 'missed') {
    print(`${told.count ?? 'some'} events were missed\n`);
    return;
  }
  const { atMs, kind, lockName, otherLocks = [], mode } = told;
  const more = otherLocks.length === 0 ? '' : ` and ${otherLocks.length} more`;
  const columns = [showMoment(atMs), kind.padEnd(KIND_CHARACTERS), `${showName(lockName)}${more}`, mode];
  print(`${[...columns, showClient(told), ...detailsOf(told)].join('  ')}\n`);
}

function detailsOf({ reason, session, token, waitedMs, heldMs }: WatchedEvent): readonly string[] {
  const details: string[] = [];
  if (reason !== undefined) details.push(session === undefined ? reason : `${reason} (${session})`);
  if (token !== undefined) details.push(`token ${token}`);
  if (waitedMs !== undefined) details.push(`waited ${showDuration(waitedMs)}`);
  if (heldMs !== undefined) details.push(`held ${showDuration(heldMs)}`);
  return details.length === 0 ? [] : [details.join(', ')];
}
