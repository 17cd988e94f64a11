/**
 * Files of a state directory: lines of JSON, each with a checksum, the first with the kind of the file, its version and the
 * lineage.
 */

import { crc32 } from 'node:zlib';
import { LedgerError } from './ledger-error.ts';

const VERSION = 1;
/** How many lines a file is made with. */
const WHOLE_LINES = 2;
const SUM = ',"sum":"';
/** `,"sum":"01234567"}` */
const SUM_CHARACTERS = SUM.length + 10;

export type FileKind = 'tokens' | 'sessions' | 'stop';

/** The first line of a file. */
interface Header {
  readonly holdfast: FileKind;
  readonly version: number;
  readonly lineage: string;
}

/** What is in a file. */
export interface RecordFile {
  readonly lineage: string;
  /** The lines below the first, without those that are damaged. */
  readonly records: readonly Readonly<Record<string, unknown>>[];
  /** The last line is not whole, as after a crash while it was written. */
  readonly isTorn: boolean;
  /** How many others were passed over. */
  readonly damagedLines: number;
}

/** One line, with its end. The record must have a property. */
export function toLine(record: object): string {
  const body = JSON.stringify(record);
  return `${body.slice(0, -1)}${SUM}${checksum(body)}"}\n`;
}

export function headerLine(kind: FileKind, lineage: string): string {
  return toLine({ holdfast: kind, version: VERSION, lineage } satisfies Header);
}

/**
 * Reads a file. It is made with two lines, whole. More may be added, of which the last may be torn: a line is only relied
 * on once it is synced, and the next is written after that.
 * @throws LedgerError (`unreadable`) that names the line when any other is damaged, unless `isForced`. Damaged lines are
 * passed over then, but never the first.
 */
export function readRecords(kind: FileKind, path: string, text: string, isForced: boolean): RecordFile {
  const lines = text.split('\n');
  // What follows the last line end: nothing, or a line that was not written whole.
  const tail = lines.pop() as string;
  const header = lines.length === 0 ? undefined : fromLine(lines[0] as string);
  if (header === undefined) throw damaged(path, 1);
  const { lineage } = requireHeader(header, kind, path);
  const records: Readonly<Record<string, unknown>>[] = [];
  let isTorn = tail !== '' && lines.length >= WHOLE_LINES;
  let damagedLines = 0;
  for (let index = 1; index < Math.max(lines.length, WHOLE_LINES); index += 1) {
    const record = fromLine(lines[index] ?? '');
    if (record !== undefined) records.push(record);
    else if (index >= WHOLE_LINES && index === lines.length - 1 && !isTorn) isTorn = true;
    else if (isForced) damagedLines += 1;
    else throw damaged(path, index + 1);
  }
  return { lineage, records, isTorn, damagedLines };
}

/** The record of a line without its end; undefined when the line is damaged. */
function fromLine(line: string): Readonly<Record<string, unknown>> | undefined {
  const body = `${line.slice(0, -SUM_CHARACTERS)}}`;
  if (line.slice(-SUM_CHARACTERS) !== `${SUM}${checksum(body)}"}`) return undefined;
  return JSON.parse(body) as Readonly<Record<string, unknown>>;
}

function requireHeader(header: Readonly<Record<string, unknown>>, kind: FileKind, path: string): Header {
  const { holdfast, version, lineage } = header;
  const isKnown = holdfast === kind && version === VERSION && typeof lineage === 'string';
  if (isKnown) return { holdfast: kind, version, lineage };
  const found = `line 1 says ${JSON.stringify(holdfast)}, version ${JSON.stringify(version)}`;
  throw new LedgerError('unreadable', `${path}: ${found}; expected "${kind}", version ${VERSION}`);
}

function damaged(path: string, line: number): LedgerError {
  return new LedgerError('unreadable', `${path}: line ${line} is damaged`);
}

function checksum(body: string): string {
  return crc32(body).toString(16).padStart(8, '0');
}
