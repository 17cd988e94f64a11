import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { TurnBudget } from '../../lib/message/scheduler.ts';
import { closeStreams, connectionThat } from '../support/connection-by-hand.ts';

describe('MessageConnection beside others', () => {
  afterEach(closeStreams);

  it('lets others have a turn when a peer has sent many messages together', async () => {
    const batches = new TurnBudget(0);
    const { stream, told } = connectionThat(() => {}, { batches });
    stream.receive('{"a":1}\n'.repeat(60));
    stream.receiveEnd();
    expect(told).to.have.length(2);
    await nextTurn();
    expect(told).to.have.length(34);
    await nextTurn();
    expect(told.slice(34)).to.deep.equal([...Array.from({ length: 26 }, () => '{"a":1}'), 'finished']);
  });

  it('serves two messages of each small input at once, and leaves the others to later turns', async () => {
    const batches = new TurnBudget(0);
    const peers = Array.from({ length: 3 }, () => connectionThat(() => {}, { batches }));
    for (const { stream } of peers) stream.receive('{"a":1}\n'.repeat(5));
    expect(peers.map(({ told }) => told.length)).to.deep.equal([2, 2, 2]);
    while (peers[2]?.told.length === 2) await nextTurn();
    expect(peers.map(({ told }) => told.length)).to.deep.equal([5, 5, 5]);
  });

  it('counts the bytes of an unfinished message, but not of the messages before it', async () => {
    const batches = new TurnBudget(0);
    const { stream, told } = connectionThat(() => {}, { batches }, 300);
    stream.receive(`${'{"a":1}\n'.repeat(60)}{"a":"${'x'.repeat(200)}`);
    while (told.length < 60) await nextTurn();
    stream.receive('x'.repeat(90));
    expect(told).to.have.length(60);
    stream.receive('x'.repeat(90));
    expect(told.slice(60)).to.deep.equal(['broken']);
  });

  it('counts the bytes of a message that has begun in input that had to wait', async () => {
    const batches = new TurnBudget(0);
    const { stream, told } = connectionThat(() => {}, { batches }, 300);
    stream.receive(`${'{"a":1}\n'.repeat(60)}{"a":"${'x'.repeat(400)}`);
    expect(told).to.not.include('broken');
    while (told.length < 61) await nextTurn();
    expect(told.slice(60)).to.deep.equal(['broken']);
  });

  it('leaves many messages to later turns, in order of the peers, once the budget is used up', async () => {
    const batches = new TurnBudget(0);
    const order: string[] = [];
    const [first, second, third] = ['first', 'second', 'third'].map((name) =>
      connectionThat(() => order.push(name), { batches }),
    );
    for (const peer of [first, second]) peer?.stream.receive('{"a":1}\n'.repeat(70));
    expect(order).to.deep.equal([]);
    third?.stream.receive('{"a":1}\n');
    expect(order).to.deep.equal(['third']);
    while (order.length < 141) await nextTurn();
    const firstPart = Array.from({ length: 32 }, (_, index) => [order[1 + index], order[33 + index]]);
    expect(firstPart.every((pair) => pair.join() === 'first,second')).to.equal(true);
  });

  it('leaves the ends of peers to later turns once the budget is used up, unless a peer has closed', async () => {
    const ends = new TurnBudget(0);
    const peers = Array.from({ length: 4 }, () => connectionThat(() => {}, { ends }));
    for (const { stream } of peers) stream.receive('{"a":1}\n{"a":2}');
    for (const { stream } of peers) stream.receiveEnd();
    const whatCame = (): number[] => peers.map(({ told }) => told.length);
    expect(whatCame()).to.deep.equal([1, 1, 1, 1]);
    peers[1]?.stream.close();
    while (peers[3]?.told.length === 1) {
      const before = whatCame();
      await nextTurn();
      expect(
        whatCame().filter((count, index) => count > (before[index] as number)).length,
        'ends in a turn',
      ).to.be.at.most(1);
    }
    const [finished, gone] = [
      ['{"a":1}', '{"a":2}', 'finished'],
      ['{"a":1}', 'closed'],
    ];
    expect(peers.map(({ told }) => told)).to.deep.equal([finished, gone, finished, finished]);
  });

  it('handles the end of a peer before the many messages of others', async () => {
    const [batches, ends] = [new TurnBudget(0), new TurnBudget()];
    const busy = Array.from({ length: 3 }, () => connectionThat(() => {}, { batches, ends }));
    for (const { stream } of busy) stream.receive('{"a":1}\n'.repeat(70));
    const { stream, told } = connectionThat(() => {}, { batches, ends });
    stream.receive('{"a":1}\n');
    stream.receiveEnd();
    expect(told).to.deep.equal(['{"a":1}', 'finished']);
    expect(busy.map((each) => each.told.length)).to.deep.equal([0, 0, 0]);
    while (busy[2]?.told.length !== 70) await nextTurn();
  });

  it('reads on only once all the messages that waited were given out', async () => {
    const batches = new TurnBudget(0);
    const { stream, told } = connectionThat(() => {}, { batches });
    const seen: number[] = [];
    stream.resume = () => {
      stream.isPaused = false;
      seen.push(told.length);
    };
    stream.receive('{"a":1}\n'.repeat(70));
    stream.receive('{"a":1}\n'.repeat(70));
    expect(stream.isPaused).to.equal(true);
    while (told.length < 140) await nextTurn();
    expect(seen).to.deep.equal([140]);
    expect(stream.isPaused).to.equal(false);
  });
});
