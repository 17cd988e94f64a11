/** C7: what a node remembers of etcd, so that it notices when the data are those of another cluster, or older. */

import type { LedgerReport } from '../ledger/ledger.ts';
import { LedgerError } from '../ledger/ledger-error.ts';
import { StateDirectory, StateFiles } from '../ledger/state-directory.ts';
import { Trouble } from '../ledger/trouble.ts';

const FILE = 'etcd';

/** What is remembered. */
interface Remembered {
  readonly clusterId: string;
  readonly revision: number;
  /** No leader whom this node knows of has given a greater token. */
  readonly token: number;
}

/** The data in etcd are not those that this node knew: it was set back, or is another. */
export class SetBackError extends Error {
  override readonly name: string = 'SetBackError';
}

export interface KnownEtcdOptions {
  /** The state directory; without one, nothing outlives the process. */
  readonly directory?: string | undefined;
  /** The operator accepts what etcd has now. */
  readonly isRaised: boolean;
  readonly report: LedgerReport;
}

export class KnownEtcd {
  /** Whether the tokens of this run must be above `token`, since etcd may not know all that were given. */
  readonly isRaised: boolean;
  token: number;
  /** Set once, and then nothing may be served. */
  error: SetBackError | undefined;
  readonly #directory: StateDirectory | undefined;
  readonly #trouble: Trouble;
  #clusterId: string | undefined;
  /** Of the run before. An answer of this run is compared with what was known when it was asked for, since answers overtake each other. */
  readonly #revisionBefore: number;
  #revision: number;
  #saving: Promise<void> | undefined;
  /** What the file says. */
  #saved = '';

  /** Rejects with a `LedgerError`: `taken`, `unusable` or `unreadable`. */
  static async open({ directory, isRaised, report }: KnownEtcdOptions): Promise<KnownEtcd> {
    if (directory === undefined) return new KnownEtcd(undefined, undefined, isRaised, report);
    const opened = await StateDirectory.open(directory);
    try {
      return new KnownEtcd(opened, read(opened), isRaised, report);
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  private constructor(
    directory: StateDirectory | undefined,
    remembered: Remembered | undefined,
    isRaised: boolean,
    report: LedgerReport,
  ) {
    this.isRaised = isRaised;
    this.token = remembered?.token ?? 0;
    this.#directory = directory;
    this.#trouble = new Trouble(report, 'the state directory', 'after a restart, etcd set back is not noticed');
    this.#clusterId = isRaised ? undefined : remembered?.clusterId;
    this.#revisionBefore = isRaised ? 0 : (remembered?.revision ?? 0);
    // What is saved never falls, whatever etcd answers or does not.
    this.#revision = this.#revisionBefore;
  }

  /** An answer has come; `knownRevision` was known when it was asked for. Returns false when etcd was set back. */
  accepts(
    { clusterId, revision }: { readonly clusterId: string; readonly revision: number },
    knownRevision: number,
  ): boolean {
    this.#clusterId ??= clusterId;
    if (clusterId !== this.#clusterId) this.#fail(`its cluster id is ${clusterId}; this node knew ${this.#clusterId}`);
    const least = Math.max(knownRevision, this.#revisionBefore);
    if (revision < least) this.#fail(`its revision is ${revision}; this node knew ${least}`);
    if (this.error !== undefined) return false;
    this.#revision = Math.max(this.#revision, revision);
    return true;
  }

  /** Writes what is known now, if the file does not say it. Never rejects: a failure is reported. */
  async save(): Promise<void> {
    await this.#saving;
    this.#saving ??= this.#save().finally(() => {
      this.#saving = undefined;
    });
    await this.#saving;
  }

  /** Saves, and lets another server have the directory. */
  async close(): Promise<void> {
    await this.save();
    await this.#directory?.close();
  }

  async #save(): Promise<void> {
    if (this.#clusterId === undefined) return;
    const remembered: Remembered = { clusterId: this.#clusterId, revision: this.#revision, token: this.token };
    const text = `${JSON.stringify(remembered)}\n`;
    if (text === this.#saved) return;
    try {
      await this.#directory?.replace(FILE, text);
      this.#saved = text;
      this.#trouble.over();
    } catch (error) {
      this.#trouble.failed(error);
    }
  }

  #fail(why: string): void {
    this.error ??= new SetBackError(
      `etcd has other data than before: ${why}; nothing is served, since locks and tokens may be lost; ` +
        'when you know that no client holds a lock, start the servers with --raise',
    );
  }
}

/** Reads the file of a node in a directory, as a start does, and changes nothing. @throws LedgerError `unreadable`. */
export function requireSoundKnowledge(directory: string): void {
  read(new StateFiles(directory));
}

/** @throws LedgerError `unreadable`. */
function read(directory: StateFiles): Remembered | undefined {
  const text = directory.read(FILE);
  if (text === undefined) return undefined;
  const { clusterId, revision, token } = parse(text);
  if (typeof clusterId === 'string' && Number.isSafeInteger(revision) && Number.isSafeInteger(token)) {
    return { clusterId, revision: revision as number, token: token as number };
  }
  const path = directory.pathOf(FILE);
  throw new LedgerError(
    'unreadable',
    `${path} is damaged: expected the clusterId, the revision and the token of etcd; remove it if etcd was not set back`,
  );
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
