/**
 * Requests of which nobody awaits the grant but which may still bring one: those that were given up, and renewals that
 * may reach the server after the end of their lease. Who asks for the same hold next has to let them be answered first.
 */

/** What names a hold in the parameters of `lock`. */
export interface HoldParameters {
  readonly lockName?: unknown;
  readonly owner?: unknown;
  readonly mode?: unknown;
}

interface Unanswered {
  count: number;
  readonly listeners: (() => void)[];
}

/** Counted by the hold that they are for; costs nothing while there are none. */
export class UnansweredRequests {
  readonly #holds = new Map<string, Unanswered>();

  add(parameters: HoldParameters): void {
    const key = holdKey(parameters);
    const unanswered = this.#holds.get(key);
    if (unanswered === undefined) this.#holds.set(key, { count: 1, listeners: [] });
    else unanswered.count += 1;
  }

  /** One of them was answered, and what it brought was given back. */
  answered(parameters: HoldParameters): void {
    const key = holdKey(parameters);
    const unanswered = this.#holds.get(key);
    if (unanswered === undefined) return;
    unanswered.count -= 1;
    if (unanswered.count > 0) return;
    this.#holds.delete(key);
    for (const tell of unanswered.listeners) tell();
  }

  /** Calls back once all that are for that hold were answered; at once if there are none. */
  whenAnswered(parameters: HoldParameters, listener: () => void): void {
    const unanswered = this.#holds.size > 0 && this.#holds.get(holdKey(parameters));
    if (!unanswered) listener();
    else unanswered.listeners.push(listener);
  }

  /** No more answers come: the connection is gone. */
  clear(): void {
    const holds = [...this.#holds.values()];
    this.#holds.clear();
    for (const { listeners } of holds) for (const tell of listeners) tell();
  }
}

/** The same for two requests exactly when they are for one hold: the same lock, under the same owner. */
export function holdKey({ lockName, owner, mode }: HoldParameters): string {
  const tag = String(owner ?? '');
  return `${mode === 'permit' ? 'permit' : 'lock'} ${tag.length} ${tag} ${String(lockName)}`;
}
