/** Times, names and tables for people. */

const MS_A_SECOND = 1_000;
const MS_A_MINUTE = 60_000;
const MS_AN_HOUR = 3_600_000;
const MS_A_DAY = 86_400_000;
const MAX_CELL_CHARACTERS = 60;
/** Control characters could move the cursor of a terminal or change its colours; format characters, the order of what is shown. */
const CONTROL = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** A length of time by its two greatest units: `3 h 12 min`. */
export function showDuration(ms: number): string {
  if (ms < MS_A_SECOND) return `${Math.round(ms)} ms`;
  if (ms < MS_A_MINUTE) return `${Math.floor(ms / MS_A_SECOND)} s`;
  if (ms < MS_AN_HOUR) return twoUnits(ms, MS_A_MINUTE, 'min', MS_A_SECOND, 's');
  if (ms < MS_A_DAY) return twoUnits(ms, MS_AN_HOUR, 'h', MS_A_MINUTE, 'min');
  return twoUnits(ms, MS_A_DAY, 'd', MS_AN_HOUR, 'h');
}

function twoUnits(ms: number, unitMs: number, unit: string, smallerMs: number, smaller: string): string {
  return `${Math.floor(ms / unitMs)} ${unit} ${Math.floor((ms % unitMs) / smallerMs)} ${smaller}`;
}

/** The time of the day at which something began that has lasted so long; with the day if that is not today. */
export function showSince(ms: number, nowMs: number = Date.now()): string {
  return showMoment(nowMs - ms, nowMs);
}

/** A moment by the local clock; with the day if that is not today. */
export function showMoment(ms: number, nowMs: number = Date.now()): string {
  const began = new Date(ms);
  const pad = (value: number): string => String(value).padStart(2, '0');
  const time = [began.getHours(), began.getMinutes(), began.getSeconds()].map(pad).join(':');
  if (began.toDateString() === new Date(nowMs).toDateString()) return time;
  return `${began.getFullYear()}-${pad(began.getMonth() + 1)}-${pad(began.getDate())} ${time}`;
}

/** A name as it is when it is plain, otherwise in quotes with escapes. */
export function showName(name: string): string {
  return name === '' || name.trim() !== name || showText(name) !== name ? showText(JSON.stringify(name)) : name;
}

/** A text of one line with each control and format character as an escape of JSON. */
export function showText(text: string): string {
  return text.replace(CONTROL, (character) => character.split('').map(toEscape).join(''));
}

function toEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Who a client is: its name and its address. */
export function showClient({ name, address }: { readonly name: string; readonly address: string }): string {
  return name === '' ? showName(address) : `${showName(name)} (${showName(address)})`;
}

/** Aligned columns below a heading; long cells are cut. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const cut = rows.map((row) => row.map((cell, index) => (index === row.length - 1 ? cell : shorten(cell))));
  const all = [heading, ...cut];
  const widths = heading.map((_, index) => Math.max(...all.map((row) => (row[index] ?? '').length)));
  const lines = all.map((row) => row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  '));
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

function shorten(cell: string): string {
  return cell.length <= MAX_CELL_CHARACTERS ? cell : `${cell.slice(0, MAX_CELL_CHARACTERS - 1)}…`;
}
