/** Keys, values, comparisons and operations, as our code has them and as etcd's messages have them. */

import { LedgerError } from '../ledger-error.ts';
import {
  COMPARE_TARGETS,
  type RawCompare,
  type RawKeyValue,
  type RawOperation,
  type RawResult,
} from './etcd-messages.ts';

/** A key with its value. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** The revision in which the key came to be. */
  readonly createRevision: number;
  /** The revision in which it was last changed. */
  readonly modRevision: number;
  /** The lease whose end deletes the key; '0' if there is none. */
  readonly lease: string;
}

/** What must be true of a key. Revision 0: there is no such key. */
export type Compare =
  | { readonly key: string; readonly createRevision: number }
  | { readonly key: string; readonly modRevision: number };

/** What a transaction does. No key may be changed twice in one. */
export type Operation =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease?: string }
  | { readonly kind: 'delete'; readonly key: string; readonly isPrefix?: boolean }
  | { readonly kind: 'range'; readonly key: string; readonly isPrefix?: boolean };

/** What an operation found. */
export type TxnResult =
  | { readonly kind: 'put' }
  | { readonly kind: 'delete'; readonly deletedCount: number }
  | { readonly kind: 'range'; readonly entries: readonly KeyValue[] };

/** The first key, and the one behind the last; one key where that is undefined. */
export interface KeyRange {
  readonly key: Buffer;
  readonly rangeEnd?: Buffer | undefined;
}

/** One key, or all keys that begin like it, without those up to `after`. */
export function rangeOf(key: string, isPrefix = false, after?: string): KeyRange {
  const first = Buffer.from(key);
  if (!isPrefix) return { key: first };
  return { key: after === undefined ? first : Buffer.from(`${after}\0`), rangeEnd: endOfPrefix(first) };
}

export function toKeyValue({ key, value, createRevision, modRevision, lease }: RawKeyValue): KeyValue {
  return {
    key: key.toString(),
    value: value.toString(),
    createRevision: Number(createRevision),
    modRevision: Number(modRevision),
    lease,
  };
}

export function toRawCompare(compare: Compare): RawCompare {
  const key = Buffer.from(compare.key);
  return 'createRevision' in compare
    ? { target: COMPARE_TARGETS.create, key, createRevision: compare.createRevision }
    : { target: COMPARE_TARGETS.mod, key, modRevision: compare.modRevision };
}

export function toRawOperation(operation: Operation): RawOperation {
  if (operation.kind === 'range') return { requestRange: rangeOf(operation.key, operation.isPrefix) };
  if (operation.kind === 'delete') return { requestDeleteRange: rangeOf(operation.key, operation.isPrefix) };
  const { key, value, lease = '0' } = operation;
  return { requestPut: { key: Buffer.from(key), value: Buffer.from(value), lease } };
}

export function toResult({ responseRange, responseDeleteRange }: RawResult): TxnResult {
  if (responseRange !== undefined) return { kind: 'range', entries: responseRange.kvs.map(toKeyValue) };
  if (responseDeleteRange !== undefined) return { kind: 'delete', deletedCount: Number(responseDeleteRange.deleted) };
  return { kind: 'put' };
}

/** The members of a value. @throws LedgerError `unreadable` when it has none. */
export function readRecord(key: string, value: string): Readonly<Record<string, unknown>> {
  try {
    const record: unknown = JSON.parse(value);
    if (typeof record === 'object' && record !== null) return record as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new LedgerError('unreadable', `etcd's key ${key} is damaged: expected an object in JSON`);
}

/** The last byte of UTF-8 is never 255, so the next greater one is at hand. */
function endOfPrefix(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  const last = end.length - 1;
  end[last] = (end[last] ?? 0) + 1;
  return end;
}
