/** The status page: shows the view that the address names, and keeps it up to date while somebody can see it. */

import { durationText, element, fill, nameText, viewAddress } from './elements.js';
import { Plots } from './plots.js';
import {
  blockedView,
  clientsView,
  clientView,
  historyView,
  limitsView,
  locksView,
  lockView,
  longestViews,
} from './views.js';

const REFRESH_MS = 5_000;
const main = document.querySelector('#main');
const search = document.querySelector('#text');
const state = document.querySelector('#state');

/** What the events have told last. */
const told = { status: undefined, blocked: undefined };
/** The parts of the overview, while that is shown. */
let overview;
let events;

/** Asks the API; names and addresses go as JSON. Rejects with the sentence of the server. */
async function ask(path, texts = {}, numbers = {}) {
  const parameters = new URLSearchParams(numbers);
  for (const [name, text] of Object.entries(texts)) parameters.set(`${name}Json`, JSON.stringify(text));
  const response = await fetch(`api/${path}?${parameters}`);
  if (!response.ok) throw new Error(await response.text());
  return await response.json();
}

/** The view of the address: `#/lock/"a"`. */
function currentView() {
  const [, view = '', text] = /^#\/(\w*)(?:\/(.*))?$/.exec(location.hash) ?? [];
  try {
    return { view, argument: text === undefined ? undefined : JSON.parse(decodeURIComponent(text)) };
  } catch {
    return { view: '', argument: undefined };
  }
}

const VIEWS = {
  lock: async (name) => {
    const [lock, history] = await Promise.all([
      ask('lock', { name }),
      ask('history', { name }, { max: 50 }).catch(() => ({ records: [] })),
    ]);
    return [...lockView(lock), historyView(history, 'History', { isWide: true })];
  },
  client: async (address) => clientView(await ask('client', { address })),
  find: async ([prefix, after]) => {
    const [locks, clients] = await Promise.all([
      ask('locks', after === undefined ? { prefix } : { prefix, after }, { max: 50 }),
      ask('clients', { search: prefix }, { max: 50 }),
    ]);
    return [locksView(locks, prefix), clientsView(clients, 'Clients')];
  },
};

/** Shows the view of the address anew. What fails is said where the view would be. */
async function show() {
  const { hash } = location;
  const { view, argument } = currentView();
  document.title = typeof argument === 'string' ? `${nameText(argument)} - holdfast` : 'holdfast';
  const make = VIEWS[view];
  if (make === undefined || argument === undefined) {
    await showOverview();
    return;
  }
  overview = undefined;
  const parts = await make(argument).catch((error) => [element('p', { class: 'bad all' }, error.message)]);
  if (hash === location.hash) fill(main, ...parts);
}

async function showOverview() {
  if (overview === undefined) {
    const part = (isWide) => element('div', isWide ? { class: 'part all' } : { class: 'part' });
    overview = {
      blocked: part(true),
      waits: part(),
      holds: part(),
      plots: new Plots(),
      clients: part(),
      history: part(),
      limits: part(true),
    };
    const { blocked, waits, holds, plots, clients, history, limits } = overview;
    fill(main, blocked, waits, holds, plots.section, clients, history, limits);
    showTold();
  }
  const shown = overview;
  const [samples, clients, history] = await Promise.allSettled([
    ask('samples'),
    ask('clients', {}, { max: 10 }),
    ask('history', {}, { max: 10 }),
  ]);
  if (shown !== overview) return;
  if (samples.value) shown.plots.show(samples.value);
  if (clients.value) fill(shown.clients, clientsView(clients.value));
  if (history.value) fill(shown.history, historyView(history.value, 'Last events'));
}

/** What the events told, in the overview and in the head of the page. */
function showTold() {
  const { status, blocked } = told;
  if (status === undefined) return;
  const { isReady, reason, role, statistics, version } = status;
  const since = statistics === undefined ? '' : `, up ${durationText(statistics.uptimeMs)}`;
  showState(isReady ? `${role === 'single' ? 'ready' : role}${since}` : `not ready: ${reason}`, isReady);
  document.querySelector('#version').textContent = `holdfast ${version}`;
  if (overview === undefined) return;
  if (statistics !== undefined) fill(overview.limits, limitsView(status));
  if (blocked !== undefined) {
    const [waits, holds] = longestViews(blocked);
    fill(overview.blocked, blockedView(blocked));
    fill(overview.waits, waits);
    fill(overview.holds, holds);
  } else if (role === 'standby') {
    fill(
      overview.blocked,
      element('p', { class: 'quiet' }, `This server stands by; ${status.leader ?? 'nobody'} leads.`),
    );
  } else if (!status.isDumpOn) {
    fill(
      overview.blocked,
      element('p', { class: 'quiet' }, 'Nobody may list locks here: "dump" is false in the settings.'),
    );
  }
}

function showState(text, isGood) {
  state.textContent = text;
  state.className = isGood ? 'good' : 'bad';
}

/** Nobody pays for a page that cannot be seen. */
function listenWhileVisible() {
  events?.close();
  events = undefined;
  if (document.visibilityState === 'hidden') return;
  events = new EventSource('api/events');
  events.addEventListener('error', () => showState('the server does not answer', false));
  for (const kind of ['status', 'blocked']) {
    events.addEventListener(kind, ({ data }) => {
      told[kind] = JSON.parse(data);
      if (told.status?.role === 'standby') told.blocked = undefined;
      showTold();
    });
  }
}

document.querySelector('#search').addEventListener('submit', (event) => {
  event.preventDefault();
  location.hash = search.value === '' ? '#/' : viewAddress('find', [search.value]);
});
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || document.activeElement === search || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  search.focus();
});
window.addEventListener('hashchange', () => {
  main.focus();
  void show();
});
document.addEventListener('visibilitychange', listenWhileVisible);
setInterval(() => {
  // What a search finds costs a look at all names, so it is shown as it was.
  if (document.visibilityState !== 'hidden' && currentView().view !== 'find') void show();
}, REFRESH_MS);
listenWhileVisible();
void show();
