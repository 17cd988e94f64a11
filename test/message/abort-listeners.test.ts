import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import { whenAborted } from '../../lib/message/abort-listeners.ts';

describe('listeners for an abort', () => {
  it('share one listener of the signal, and leave none when they have stopped', () => {
    const { signal } = new AbortController();
    const stops = Array.from({ length: 20 }, () => whenAborted(signal, () => {}));
    expect(getEventListeners(signal, 'abort')).to.have.length(1);
    for (const stop of stops.slice(1)) stop();
    expect(getEventListeners(signal, 'abort')).to.have.length(1);
    for (const stop of stops) stop();
    expect(getEventListeners(signal, 'abort')).to.have.length(0);
    const stop = whenAborted(signal, () => {});
    for (const stopAgain of stops) stopAgain();
    expect(getEventListeners(signal, 'abort')).to.have.length(1);
    stop();
  });

  it('are called once, in order, unless they were stopped before', () => {
    const abort = new AbortController();
    const called: string[] = [];
    const call = (name: string) => (): void => {
      called.push(name);
    };
    const twice = call('twice');
    whenAborted(abort.signal, twice);
    whenAborted(abort.signal, twice);
    whenAborted(abort.signal, call('stopped'))();
    whenAborted(abort.signal, () => stopNext());
    const stopNext = whenAborted(abort.signal, call('next'));
    whenAborted(abort.signal, call('last'));
    abort.abort();
    expect(called).to.deep.equal(['twice', 'twice', 'last']);
    expect(getEventListeners(abort.signal, 'abort')).to.have.length(0);
  });

  it('are never called for a signal that has already aborted, or without a signal', () => {
    for (const signal of [AbortSignal.abort(), undefined]) whenAborted(signal, () => expect.fail('it was called'))();
  });
});
