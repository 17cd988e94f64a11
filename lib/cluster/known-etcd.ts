/** C7: what a node remembers of etcd, so that it notices when the data are those of another cluster, or older. */

import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';

/** What is remembered, in a file if there is one. */
interface Remembered {
  readonly clusterId?: string;
  readonly revision?: number;
  /** No leader whom this node knows of has given a greater token. */
  readonly token?: number;
}

/** The data in etcd are not those that this node knew: it was set back, or is another. */
export class SetBackError extends Error {
  override readonly name: string = 'SetBackError';
}

export class KnownEtcd {
  readonly #file: string | undefined;
  readonly #isRaised: boolean;
  #clusterId: string | undefined;
  #revision = 0;
  #savedRevision = 0;
  #saving: Promise<void> = Promise.resolve();
  token = 0;
  /** Set once, and then nothing may be served. */
  error: SetBackError | undefined;

  /**
   * Without a file, nothing outlives the process. `isRaised`: the operator accepts what etcd has now.
   * @throws the system's error when the file cannot be read, SyntaxError when it is damaged.
   */
  constructor(file: string | undefined, isRaised: boolean) {
    this.#file = file;
    this.#isRaised = isRaised;
    const { clusterId, revision = 0, token = 0 } = file === undefined ? {} : read(file);
    this.token = token;
    if (isRaised) return;
    this.#clusterId = clusterId;
    this.#revision = revision;
  }

  /** Whether the tokens of this run must be above `token`, since etcd may not know all that were given. */
  get isRaised(): boolean {
    return this.#isRaised;
  }

  /** An answer has come; `knownRevision` was known when it was asked for. Returns false when etcd was set back. */
  accepts(
    { clusterId, revision }: { readonly clusterId: string; readonly revision: number },
    knownRevision: number,
  ): boolean {
    this.#clusterId ??= clusterId;
    if (clusterId !== this.#clusterId) this.#fail(`its cluster id is ${clusterId}; this node knew ${this.#clusterId}`);
    const least = Math.max(knownRevision, this.#savedRevision === 0 ? this.#revision : 0);
    if (revision < least) this.#fail(`its revision is ${revision}; this node knew ${least}`);
    this.#revision = Math.max(this.#revision, revision);
    return this.error === undefined;
  }

  /** Writes what is known to the file. Never rejects: then less is remembered. */
  save(): Promise<void> {
    const { error } = this;
    if (this.#file === undefined || error !== undefined || this.#clusterId === undefined) return this.#saving;
    const remembered: Remembered = { clusterId: this.#clusterId, revision: this.#revision, token: this.token };
    this.#savedRevision = this.#revision;
    const file = this.#file;
    this.#saving = this.#saving.then(() => replace(file, `${JSON.stringify(remembered)}\n`)).catch(() => {});
    return this.#saving;
  }

  #fail(why: string): void {
    this.error ??= new SetBackError(
      `etcd has other data than before: ${why}; nothing is served, since locks and tokens may be lost; ` +
        'when you know that no client holds a lock, start the servers with --raise',
    );
  }
}

function read(file: string): Remembered {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Remembered;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}
