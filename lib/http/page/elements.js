/** Makes elements, and texts for people. Whatever comes from clients becomes text, never markup. */

const MS_A_SECOND = 1_000;
const SECONDS_A_MINUTE = 60;
const SECONDS_AN_HOUR = 3_600;
const SECONDS_A_DAY = 86_400;
/** Characters that cannot be seen or that change the order of others: such a name is shown in quotes, with escapes. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** An element with attributes and children; a child that is undefined is left out. */
export function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) made.setAttribute(name, value);
  made.append(...children.flat().filter((child) => child !== undefined));
  return made;
}

/** Replaces what an element has. Whatever had the focus keeps it, by its `href`. */
export function fill(parent, ...children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
  parent.replaceChildren(...children.flat().filter((child) => child !== undefined));
  if (focused !== null) parent.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/** A section with a heading. */
export function section(title, { note, isWide = false } = {}, ...children) {
  const heading = element('h2', {}, title, note === undefined ? undefined : element('small', {}, ` ${note}`));
  return element('section', isWide ? { class: 'all' } : {}, heading, ...children);
}

/** A table. A column is `[title, cellOf, class]`. */
export function table(columns, rows, empty) {
  if (rows.length === 0) return element('p', { class: 'quiet' }, empty);
  const attributes = (kind) => (kind === undefined ? {} : { class: kind });
  const head = columns.map(([title, , kind]) => element('th', { scope: 'col', ...attributes(kind) }, title));
  const body = rows.map((row) =>
    element('tr', {}, ...columns.map(([, cellOf, kind]) => element('td', attributes(kind), cellOf(row) ?? ''))),
  );
  return element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...body));
}

/** A name as people may see it. */
export function nameText(name) {
  if (name === '') return '(empty name)';
  return name.search(HIDDEN) === -1 ? name : JSON.stringify(name).replace(HIDDEN, escaped);
}

/** JSON escapes only some of the hidden characters. One above U+FFFF takes two escapes. */
function escaped(character) {
  const units = character.split('').map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'));
  return units.map((unit) => `\\u${unit}`).join('');
}

/** The address of a view of this page. JSON can hold names that a URL cannot. */
export function viewAddress(view, text) {
  return `#/${view}/${encodeURIComponent(JSON.stringify(text))}`;
}

export function lockLink(lockName) {
  return element('a', { href: viewAddress('lock', lockName), class: 'lock' }, nameText(lockName));
}

/** Who holds or waits: the name that it registered, its owner tag, and its address as a link. */
export function clientText({ name, owner, address }) {
  const shown = [name, owner].filter((each) => each !== undefined && each !== '').map(nameText);
  const link = address === '' ? 'not back yet' : element('a', { href: viewAddress('client', address) }, address);
  return element('span', {}, shown.length === 0 ? '' : `${shown.join(', ')} `, link);
}

/** Milliseconds in at most two units. */
export function durationText(ms) {
  const seconds = Math.floor(ms / MS_A_SECOND);
  if (seconds < 1) return `${Math.round(ms)} ms`;
  if (seconds < SECONDS_A_MINUTE) return `${seconds} s`;
  const units = [
    [SECONDS_A_DAY, 'd', SECONDS_AN_HOUR, 'h'],
    [SECONDS_AN_HOUR, 'h', SECONDS_A_MINUTE, 'min'],
    [SECONDS_A_MINUTE, 'min', 1, 's'],
  ];
  const [large, largeName, small, smallName] = units.find(([unit]) => seconds >= unit);
  return `${Math.floor(seconds / large)} ${largeName} ${Math.floor((seconds % large) / small)} ${smallName}`;
}

export function numberText(number) {
  return number.toLocaleString('en');
}

export function timeText(ms) {
  return new Date(ms).toLocaleTimeString('en-GB');
}
