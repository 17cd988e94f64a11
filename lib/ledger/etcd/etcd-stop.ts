/** The keys with the locks of a leader that was stopped on purpose: parts, and a manifest that makes them count. */

import { createHash } from 'node:crypto';
import type { SavedStop } from '../ledger.ts';
import { LedgerError } from '../ledger-error.ts';
import type { EtcdClient } from './etcd-client.ts';
import { readRecord } from './etcd-values.ts';
import type { LeaderWrites } from './leader-writes.ts';

/** etcd takes requests of 1.5 MB. */
const PART_BYTES = 500_000;
const MAX_BYTES = 64 * 2 ** 20;
/** All that JSON need not escape and that takes more than a byte. */
const NO_ASCII = /[\u0080-\uffff]/g;

export interface EtcdStopOptions {
  readonly client: EtcdClient;
  readonly writes: LeaderWrites;
  /** Where the keys are; ends with a slash. */
  readonly prefix: string;
  /** The leader before, which must have saved it: an older one would bring back what has ended since. */
  readonly epochBefore: unknown;
  readonly epoch: number;
}

export class EtcdStop implements SavedStop {
  readonly #options: EtcdStopOptions;

  constructor(options: EtcdStopOptions) {
    this.#options = options;
  }

  async save(state: unknown): Promise<void> {
    const { writes, prefix, epoch } = this.#options;
    const text = JSON.stringify(state).replace(NO_ASCII, escapeCharacter);
    if (text.length > MAX_BYTES) {
      throw new LedgerError('unusable', `the locks take ${text.length} bytes; at most ${MAX_BYTES} are saved in etcd`);
    }
    await writes.write([{ kind: 'delete', key: prefix, isPrefix: true }]);
    const partCount = Math.ceil(text.length / PART_BYTES);
    for (let part = 0; part < partCount; part += 1) {
      const value = text.slice(part * PART_BYTES, (part + 1) * PART_BYTES);
      await writes.write([{ kind: 'put', key: this.#keyOf(part), value }]);
    }
    const manifest = JSON.stringify({ epoch, partCount, sha256: hashOf(text) });
    await writes.write([{ kind: 'put', key: this.#manifestKey, value: manifest }]);
  }

  /** Nothing may be granted before it is removed, or the next leader would bring back what has ended since. */
  async take(): Promise<unknown> {
    const { client, writes, prefix, epochBefore } = this.#options;
    const [manifest] = (await client.range(this.#manifestKey)).entries;
    if (manifest === undefined) return undefined;
    try {
      const { epoch, partCount, sha256 } = readRecord(manifest.key, manifest.value);
      const text = await this.#read(Number(partCount));
      if (hashOf(text) !== sha256) throw new LedgerError('unreadable', `etcd's keys ${prefix} are damaged`);
      await writes.write([{ kind: 'delete', key: prefix, isPrefix: true }]);
      return epoch === epochBefore ? JSON.parse(text) : undefined;
    } catch (error) {
      // The parts stay until the next stop, for people to look at.
      if (error instanceof LedgerError) await writes.write([{ kind: 'delete', key: manifest.key }]);
      throw error;
    }
  }

  get #manifestKey(): string {
    return `${this.#options.prefix}manifest`;
  }

  #keyOf(part: number): string {
    return `${this.#options.prefix}parts/${part}`;
  }

  async #read(partCount: number): Promise<string> {
    let text = '';
    for (let part = 0; part < partCount; part += 1) {
      const [entry] = (await this.#options.client.range(this.#keyOf(part))).entries;
      text += entry?.value ?? '';
    }
    return text;
  }
}

/** So that each character is a byte, and parts may begin anywhere. */
function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
