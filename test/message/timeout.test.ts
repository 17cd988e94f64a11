import { expect } from 'chai';
import { pause, startTimeout } from '../../lib/message/timeout.ts';

function timeIsOver(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    startTimeout(delayMs, resolve);
  });
}

describe('startTimeout', () => {
  const stops: (() => void)[] = [];
  let calls: number[];

  function start(delayMs: number): () => void {
    const stop = startTimeout(delayMs, () => calls.push(delayMs));
    stops.push(stop);
    return stop;
  }

  beforeEach(() => {
    calls = [];
  });

  afterEach(() => {
    for (const stop of stops.splice(0)) stop();
  });

  it('calls back once, shorter times first', async () => {
    start(100);
    start(1);
    start(0.5);
    await timeIsOver(100);
    await timeIsOver(20);
    expect(calls).to.have.members([0.5, 1, 100]);
    expect(calls.at(-1)).to.equal(100);
  });

  it('never calls back after it was stopped', async () => {
    const stop = start(1);
    start(2);
    stop();
    await timeIsOver(20);
    expect(calls).to.deep.equal([2]);
  });

  it('waits for times above 24.8 days, too, and for ever if told to', async () => {
    for (const delayMs of [2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1, 1e15, Number.POSITIVE_INFINITY]) start(delayMs);
    await timeIsOver(20);
    expect(calls).to.deep.equal([]);
  });

  it('stops a time without end', () => {
    expect(() => start(Number.POSITIVE_INFINITY)()).to.not.throw();
  });
});

describe('pause', () => {
  const abort = new AbortController();
  const never = new AbortController().signal;

  it('ends when its time is over', async () => {
    await pause(1, never, undefined);
  });

  it('ends when one of its signals aborts', async () => {
    const ended = pause(Number.POSITIVE_INFINITY, never, abort.signal, undefined);
    abort.abort();
    await ended;
  });

  it('ends at once when one of its signals has aborted before', async () => {
    await pause(Number.POSITIVE_INFINITY, never, abort.signal);
  });
});
