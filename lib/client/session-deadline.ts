/** Until when a client may rely on its session, and when it asks the server whether it still may. */

import { type Gate, makeGate } from '../message/gate.ts';
import { elapsedMs, type Moment, thisMoment } from '../message/moment.ts';
import { startTimeout } from '../message/timeout.ts';

/** The client counts the session as over this much before the server does: a tenth of its time-out, and at least a second (S4). */
const MARGIN_SHARE = 1 / 10;
const LEAST_MARGIN_MS = 1_000;
/** With a time-out of less than five seconds, a fifth of it. */
const GREATEST_MARGIN_SHARE = 1 / 5;
/** When so much of the time-out has passed since the last answered request was sent, the client asks (S5). */
const SILENCE_SHARE = 1 / 4;
/** Without an answer for so much of the time-out, it dials anew (S5). */
const UNANSWERED_SHARE = 1 / 2;
/** How long a running event loop waits for a last answer (S6): a second, or half the margin if that is less. */
const LAST_ANSWER_MS = 1_000;
const LAST_ANSWER_SHARE = 1 / 2;
const TICKS_A_TIMEOUT = 20;
const LONGEST_TICK_MS = 1_000;

/** What the deadline asks for. */
interface DeadlineEvents {
  /** Whether the client holds or awaits anything. Otherwise nobody needs to know. */
  isNeeded(): boolean;
  /** Sends a request that is answered at once, if there is a connection. */
  ping(): void;
  /** The connection does not answer. */
  silent(): void;
  /** The session may be over: no request was answered in time. */
  over(): void;
}

/** A request whose answer confirms. */
interface Probe {
  readonly id: number;
  readonly sent: Moment;
  readonly isPing: boolean;
}

/**
 * The time runs from when the last answered request was *sent*: the server heard it later, so the client's deadline comes first.
 * Both clocks are read, since one of them stands still while the machine sleeps. The silence of the server is counted in ticks,
 * because a process with a blocked event loop has not given it the time to answer.
 */
export class SessionDeadline {
  readonly #events: DeadlineEvents;
  #timeoutMs = Number.POSITIVE_INFINITY;
  /** Whether the server is one of several, and must make sure that it leads before its answer counts (C3). */
  isClustered = false;
  /** When the last answered request was sent. */
  #confirmed: Moment | undefined;
  /** The request whose answer confirms next. */
  #probe: Probe | undefined;
  #isPinging = false;
  /** Whether anything was answered since the last tick. */
  #isHeard = false;
  /** Ticks in which nothing was heard since a ping; undefined when none is on its way. */
  #silentTicks: number | undefined;
  /** Whether the last answer is awaited, past the deadline. */
  #isLate = false;
  #question = makeGate();
  /** Of those who asked while a ping was on its way: the next one answers them. */
  #nextQuestion: Gate | undefined;
  #stopTick: (() => void) | undefined;

  constructor(events: DeadlineEvents) {
    this.#events = events;
  }

  /**
   * The server has opened or resumed the session with this time-out, by a request that was sent then. Where it `isClustered`, nothing but a
   * ping counts, since the server makes sure for those that it still leads (C3).
   */
  begin(timeoutMs: number, sent: Moment, isClustered: boolean): void {
    this.#timeoutMs = timeoutMs;
    this.isClustered = isClustered;
    this.#confirm(sent);
    this.watch();
  }

  /** Whether the client may rely on what it holds. */
  get isConfirmed(): boolean {
    return this.#leftMs > 0;
  }

  /** Looks at the time from now on, as long as that is needed. */
  watch(): void {
    if (this.#stopTick === undefined) this.#tickLater();
  }

  /** A request goes out. */
  sent(id: number): void {
    if (this.isClustered && !this.#isPinging) return;
    this.#probe ??= { id, sent: thisMoment(), isPing: this.#isPinging };
  }

  /** A request was answered. */
  answered(id: number): void {
    this.#isHeard = true;
    const probe = this.#probe;
    if (probe?.id !== id) return;
    this.#probe = undefined;
    this.#confirm(probe.sent);
  }

  /** What was sent is not going to be answered on this connection. */
  disconnected(): void {
    this.#probe = undefined;
    this.#silentTicks = undefined;
  }

  /** Asks the server; resolves once it has answered, or once the session counts as over. */
  async ask(): Promise<void> {
    if (!this.#events.isNeeded()) return;
    this.watch();
    if (!this.#isAsked) {
      this.#ping();
      await this.#question.promise;
      return;
    }
    this.#nextQuestion ??= makeGate();
    await this.#nextQuestion.promise;
  }

  /** Whether a ping is on its way whose answer will confirm, if it comes in time. */
  get #isAsked(): boolean {
    return this.#probe?.isPing === true && this.#leftSince(this.#probe.sent) > 0;
  }

  /** Nothing is held any more: who asked need not wait. */
  end(): void {
    this.#question.resolve();
    this.#nextQuestion?.resolve();
    this.#question = makeGate();
    this.#nextQuestion = undefined;
  }

  #answerQuestion(): void {
    this.#question.resolve();
    const next = this.#nextQuestion;
    this.#question = next ?? makeGate();
    this.#nextQuestion = undefined;
    if (next !== undefined) this.#ping();
  }

  stop(): void {
    this.#stopTick?.();
    this.#stopTick = undefined;
    this.end();
  }

  get #leftMs(): number {
    return this.#confirmed === undefined ? 0 : this.#leftSince(this.#confirmed);
  }

  /** How long the client may rely on its session after a request that was sent then. */
  #leftSince(sent: Moment): number {
    return Math.max(0, this.#timeoutMs - this.#marginMs - elapsedMs(sent));
  }

  get #marginMs(): number {
    const margin = Math.max(LEAST_MARGIN_MS, this.#timeoutMs * MARGIN_SHARE);
    return Math.min(margin, this.#timeoutMs * GREATEST_MARGIN_SHARE);
  }

  get #tickMs(): number {
    return Math.min(LONGEST_TICK_MS, this.#timeoutMs / TICKS_A_TIMEOUT);
  }

  #confirm(sent: Moment): void {
    this.#confirmed = sent;
    this.#silentTicks = undefined;
    this.#isLate = false;
    if (this.isConfirmed) this.#answerQuestion();
  }

  #tickLater(): void {
    const lastAnswerMs = Math.min(LAST_ANSWER_MS, this.#marginMs * LAST_ANSWER_SHARE);
    const delayMs = this.#isLate ? lastAnswerMs : Math.min(this.#tickMs, this.#leftMs);
    this.#stopTick = startTimeout(delayMs, () => this.#tick(), 'background');
  }

  #tick(): void {
    this.#stopTick = undefined;
    if (!this.#events.isNeeded()) return;
    if (this.#isHeard && this.#silentTicks !== undefined) this.#silentTicks = 0;
    this.#isHeard = false;
    if (this.isConfirmed) this.#lookAtSilence();
    else this.#lookAtEnd();
    this.#tickLater();
  }

  #lookAtSilence(): void {
    if (this.#silentTicks === undefined) {
      // From when it was sent: the deadline counts from there, and there must be time to dial anew before it.
      if (elapsedMs(this.#confirmed as Moment) >= this.#timeoutMs * SILENCE_SHARE) this.#ping();
      return;
    }
    this.#silentTicks += 1;
    if (this.#silentTicks < (this.#timeoutMs * UNANSWERED_SHARE) / this.#tickMs) return;
    this.#silentTicks = undefined;
    this.#events.silent();
  }

  #lookAtEnd(): void {
    if (!this.#isLate) {
      this.#isLate = true;
      this.#ping();
      return;
    }
    this.#isLate = false;
    this.#events.over();
    this.end();
  }

  /** The answer to this request confirms, even if that to an earlier one is awaited: a lock may take its time. */
  #ping(): void {
    this.#silentTicks ??= 0;
    if (this.#isAsked) return;
    this.#probe = undefined;
    this.#isPinging = true;
    this.#events.ping();
    this.#isPinging = false;
  }
}
