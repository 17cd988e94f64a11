/** The parts of the page, each made from an answer of the API. */

import {
  clientText,
  durationText,
  element,
  lockLink,
  nameText,
  numberText,
  section,
  table,
  timeText,
  viewAddress,
} from './elements.js';

/** Rows of the overview. */
const FEW = 10;

/** Who blocks whom. */
export function blockedView({ blocked, waiters, ageMs }) {
  const count = waiters.exclusive + waiters.shared + waiters.permit;
  const note = `${numberText(count)} waiting${ageMs > 5_000 ? `, as of ${durationText(ageMs)} ago` : ''}`;
  if (blocked.length === 0) {
    return section(
      'Who blocks whom',
      { isWide: true, note },
      element('p', { class: 'quiet' }, 'Nobody waits for a lock.'),
    );
  }
  const tree = element('div', { class: 'tree' }, element('ul', {}, ...blocked.slice(0, FEW).map(blockedLock)));
  return section('Who blocks whom', { isWide: true, note }, tree, more(blocked.length - FEW, 'lock'));
}

function blockedLock({ lockName, kind, holders, holderCount, waiters, waiterCount, blockedCount }) {
  const title = element(
    'div',
    {},
    lockLink(lockName),
    kind === 'permit' ? ' (permit)' : '',
    ` blocks ${numberText(blockedCount)}`,
  );
  const held = holders.map((holder) =>
    element(
      'div',
      {},
      'held by ',
      clientText(holder),
      ` for ${durationText(holder.heldMs)}`,
      ...suspendedText(holder),
      ...waitsForText(holder),
    ),
  );
  if (holderCount === 0)
    held.push(element('div', { class: 'quiet' }, 'held by nobody: the first in the queue waits for more'));
  const waiting = waiters.map((waiter) =>
    element(
      'li',
      {},
      clientText(waiter),
      ` waits ${durationText(waiter.waitedMs)}${waiter.mode === 'shared' ? ', shared' : ''}`,
      waiter.blocks.length === 0 ? undefined : element('ul', {}, ...waiter.blocks.map(blockedLock)),
    ),
  );
  return element(
    'li',
    {},
    title,
    ...held,
    more(holderCount - holders.length, 'holder'),
    element('ul', {}, ...waiting, more(waiterCount - waiters.length, 'waiter', 'li')),
  );
}

function suspendedText({ expiresInMs, anchored }) {
  if (anchored) return [' (gone; an anchor keeps its session)'];
  return expiresInMs === undefined
    ? []
    : [` (not connected; free in ${durationText(expiresInMs)} unless it comes back)`];
}

function waitsForText({ waitsFor }) {
  return waitsFor.length === 0
    ? []
    : [', waits for ', ...waitsFor.flatMap(({ lockName }) => [lockLink(lockName), ' '])];
}

function more(count, what, tag = 'p') {
  if (count <= 0) return undefined;
  return element(tag, { class: 'quiet' }, `and ${numberText(count)} more ${what}${count === 1 ? '' : 's'}`);
}

/** The longest waits, and the longest holds. */
export function longestViews({ longestWaits, longestHolds }) {
  const lock = ['lock', ({ lockName }) => lockLink(lockName)];
  const mode = ['mode', ({ mode: text }) => text, 'word wide'];
  const waits = table(
    [lock, ['client', clientText], mode, ['waits', ({ waitedMs }) => durationText(waitedMs), 'number']],
    longestWaits.slice(0, FEW),
    'Nobody waits.',
  );
  const holds = table(
    [lock, ['client', clientText], mode, ['holds', ({ heldMs }) => durationText(heldMs), 'number']],
    longestHolds.slice(0, FEW),
    'Nobody holds a lock.',
  );
  return [section('Longest waits', {}, waits), section('Longest holds', {}, holds)];
}

/** Limits beside what is used of them, and what was refused. */
export function limitsView({ usage, statistics }) {
  const rows = table(
    [
      ['limit', ({ limit }) => limit],
      ['used', ({ used, max }) => `${shortNumber(used)} of ${shortNumber(max)}`, 'number'],
      ['', usageMeter, 'wide'],
    ],
    usage,
    '',
  );
  const refusals = Object.entries(statistics.refusals).filter(([, count]) => count > 0);
  const refused =
    refusals.length === 0
      ? undefined
      : element('p', {}, 'Refused: ', refusals.map(([reason, count]) => `${reason} ${numberText(count)}`).join(', '));
  return section('Limits', {}, rows, refused);
}

function usageMeter({ limit, used, max }) {
  return element('meter', { min: 0, max, value: used, high: 0.8 * max, optimum: 0, 'aria-label': limit });
}

function shortNumber(number) {
  return new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(number);
}

/** Clients, as they come or as a search finds them. */
export function clientsView({ count, clients }, title = 'Clients') {
  const rows = table(
    [
      ['client', clientText],
      [
        'state',
        ({ state, expiresInMs }) => (expiresInMs === undefined ? state : `${state}, ${durationText(expiresInMs)} left`),
        'wide',
      ],
      ['locks', ({ claimCount }) => numberText(claimCount), 'number'],
    ],
    clients,
    'None.',
  );
  return section(title, { note: numberText(count) }, rows, more(count - clients.length, 'client'));
}

/** What happened last. */
export function historyView({ records }, title, options) {
  const rows = table(
    [
      ['time', ({ untilMs }) => timeText(untilMs), 'number'],
      ['lock', ({ lockName }) => (lockName === undefined ? '' : lockLink(lockName))],
      ['client', clientText, 'wide'],
      ['what', recordText],
    ],
    records,
    'Nothing yet.',
  );
  return section(title, options, rows);
}

function recordText({ kind, reason, sinceMs, untilMs, waitedMs, session }) {
  const lasted = durationText(untilMs - sinceMs);
  const waited = waitedMs === undefined ? '' : ` after a wait of ${durationText(waitedMs)}`;
  const how = session === undefined ? reason : `${reason}: ${session}`;
  if (kind === 'hold') return `held ${lasted}${waited}, ${how}`;
  return kind === 'request' ? `${how} after ${lasted}` : `${kind}: ${how}`;
}

/** One lock: holders and waiters. */
export function lockView({ lockName, holders, holderCount, waiters, waiterCount }) {
  const who = ['client', clientText];
  const mode = ['mode', ({ mode: text }) => text, 'word'];
  const held = table(
    [
      who,
      mode,
      ['token', ({ token }) => String(token), 'wide number'],
      ['since', ({ heldMs }) => durationText(heldMs), 'number'],
    ],
    holders,
    'Nobody holds it.',
  );
  const waiting = table(
    [
      ['', ({ position }) => String(position), 'number'],
      who,
      mode,
      ['waits', ({ waitedMs }) => durationText(waitedMs), 'number'],
    ],
    waiters,
    'Nobody waits for it.',
  );
  return [
    element('h1', { class: 'all' }, `Lock ${nameText(lockName)}`),
    section('Holders', { note: numberText(holderCount) }, held, more(holderCount - holders.length, 'holder')),
    section('Waiters', { note: numberText(waiterCount) }, waiting, more(waiterCount - waiters.length, 'waiter')),
  ];
}

/** One client: what it holds and awaits. */
export function clientView({ address, holds, waits }) {
  const lock = ['lock', ({ lockName }) => lockLink(lockName)];
  const owner = ['owner', (each) => nameText(each.owner || '-'), 'wide'];
  const held = table(
    [lock, owner, ['since', ({ heldMs }) => durationText(heldMs), 'number']],
    holds,
    'It holds nothing.',
  );
  const awaited = table(
    [
      lock,
      owner,
      ['place', ({ position }) => String(position), 'number'],
      ['waits', ({ waitedMs }) => durationText(waitedMs), 'number'],
    ],
    waits,
    'It waits for nothing.',
  );
  return [
    element('h1', { class: 'all' }, `Client ${address}`),
    section('Holds', { note: numberText(holds.length) }, held),
    section('Waits', { note: numberText(waits.length) }, awaited),
  ];
}

/** The locks that a search finds, one page of them. */
export function locksView({ locks, next }, prefix) {
  const rows = table(
    [
      ['lock', ({ lockName }) => lockLink(lockName)],
      ['held by', ({ holders }) => (holders.length === 0 ? '' : clientText(holders[0])), 'wide'],
      ['holders', ({ holderCount }) => numberText(holderCount), 'number'],
      ['waiters', ({ waiterCount }) => numberText(waiterCount), 'number'],
    ],
    locks,
    'No lock that is held or waited for begins so.',
  );
  const further =
    next === undefined
      ? undefined
      : element('p', {}, element('a', { href: viewAddress('find', [prefix, next]) }, 'further locks'));
  return section(
    prefix === '' ? 'Locks' : `Locks that begin with ${nameText(prefix)}`,
    { isWide: true },
    rows,
    further,
  );
}
