import { Socket } from 'node:net';
import { expect } from 'chai';
import { PeerWatch, type WatchedPeer } from '../../lib/transports/peer-watch.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { workLong } from '../support/work-long.ts';

const PEERS = 20;

describe('the watch for hosts that vanished', () => {
  afterEach(endTest);

  it('leaves time for others while it looks at many peers', async () => {
    const watch = new PeerWatch({ lookMs: 1 });
    const socket = new Socket();
    let looked = 0;
    const peer: WatchedPeer = {
      rawSocket: socket,
      get heardMs() {
        looked += 1;
        workLong();
        return Number.POSITIVE_INFINITY;
      },
      lose: () => {},
    };
    const all = Array.from({ length: PEERS }, () => watch.add(peer));
    whenTestEnds(() => {
      for (const each of all.reverse()) watch.delete(each);
    });
    await until(() => looked > 0);
    expect(looked).to.be.lessThan(PEERS);
    await until(() => looked >= PEERS);
  });
});
