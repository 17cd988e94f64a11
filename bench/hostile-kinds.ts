/** The kinds of hostile and unlucky clients of the message and line protocols that the bench lets loose. */

import { setTimeout } from 'node:timers/promises';
import { crowdFor, fill, fillWith, type Kind, many, open, queueWith } from './hostile-acts.ts';
import { Peer } from './hostile-peer.ts';
import { isShort } from './program.ts';

export const KINDS: Readonly<Record<string, Kind>> = {
  /** Many ask a small question with a large answer at the same moment. */
  inspects: async (port) => {
    await crowdFor(port, 1_000);
    const peers = await open(port, many(1_000));
    return async () => {
      for (const peer of peers) peer.send('inspect', { lockName: 'hot', max: 1_000 });
      await Promise.all(peers.map((peer) => peer.replied(1)));
    };
  },
  /** A few ask for page after page beside many locks. */
  lists: async (port) => {
    const fillers = await open(port, 10);
    await Promise.all(
      fillers.map((filler, number) => fill(filler, many(10_000), (index) => `filler/${number}/${index}`)),
    );
    const peers = await open(port, 5);
    return async () => {
      for (const peer of peers) for (let id = 0; id < 100; id += 1) peer.send('list', { max: 1_000 }, id);
      await Promise.all(peers.map((peer) => peer.replied(100)));
    };
  },
  /** Listings that are kept for the next page know the names of locks that are long gone. */
  'kept listings': async (port) => {
    const fillers = await open(port, 4);
    const listers = await open(port, many(16));
    return async () => {
      for (const [round, lister] of listers.entries()) {
        const nameOf = (index: number) => `${round} ${index} ${'\u00fc'.repeat(29_000)}`;
        await Promise.all(
          fillers.map((filler, number) => fill(filler, many(250), (index) => `${number} ${nameOf(index)}`)),
        );
        let page = '';
        lister.socket.on('data', (bytes: Buffer) => {
          page += bytes.toString('latin1');
        });
        lister.send('list', { max: 1 });
        await lister.replied(1);
        const { result } = JSON.parse(Buffer.from(page, 'latin1').toString()) as { readonly result: { next?: string } };
        lister.send('list', { max: 1, after: result.next }, 2);
        await lister.replied(2);
        for (const filler of fillers) {
          const before = filler.replyCount;
          filler.send('unlockAll', {}, 'all');
          await filler.replied(before + 1);
        }
      }
    };
  },
  'line listings': async (port) => {
    const filler = await Peer.open(port);
    await fill(filler, many(9_000), (index) => `filler/${index}`);
    const peers = await open(port, many(200));
    return async () => {
      for (const peer of peers) peer.socket.write('d\ni filler/0\n');
      await Promise.all(peers.map((peer) => peer.replied(many(9_000) + 1)));
    };
  },
  /** Answers that nobody reads. */
  unread: async (port) => {
    const filler = await Peer.open(port);
    await fill(filler, many(9_000), (index) => `a name as applications have it/${index}`);
    const peers = await open(port, many(200));
    for (const peer of peers) peer.socket.pause();
    return async () => {
      for (const peer of peers) for (let id = 0; id < 120; id += 1) peer.send('list', { max: 1_000 }, id);
      await setTimeout(isShort ? 100 : 5_000);
    };
  },
  /** Long chains of owners with tags, each of whom waits for the next, and a crowd for one lock. */
  'waiting owners': async (port) => {
    const count = many(5_000);
    const peer = await Peer.open(port);
    for (let index = 0; index < count; index += 1) {
      peer.send('lock', { lockName: `${index}`, owner: `${index}` }, index);
    }
    await peer.replied(count);
    return async () => {
      for (let index = 0; index < count - 1; index += 1) {
        peer.send('lock', { lockName: `${index + 1}`, owner: `${index}` }, `w${index}`);
      }
      const crowd = await Peer.open(port);
      for (let index = 0; index < count; index += 1) {
        crowd.send('lock', { lockName: `own ${index}`, owner: `${index}` }, index);
        crowd.send('lock', { lockName: '0', owner: `${index}` }, `w${index}`);
      }
      crowd.send('stats', {}, 'last');
      await crowd.replied(count + 1);
    };
  },
  'long names': async (port) => {
    const filler = await Peer.open(port);
    await fill(filler, many(300), (index) => `${index} ${'\u00fc'.repeat(29_000)}`);
    const peers = await open(port, 5);
    return async () => {
      for (const peer of peers) peer.socket.write('d\ni nothing\n');
      await Promise.all(peers.map((peer) => peer.replied(many(300) + 1)));
    };
  },
  'bytes that are no text': async (port) => {
    const peers = await open(port, 20);
    const bytes = Buffer.alloc(1_000_000, 0xff);
    bytes.write('g ', 0, 'latin1');
    bytes[bytes.length - 1] = 10;
    return async () => {
      for (const peer of peers) peer.socket.write(bytes);
      await Promise.all(peers.map((peer) => peer.replied(1)));
    };
  },
  /** Waits that all end at the same time. */
  timeouts: async (port) => {
    await crowdFor(port, 0);
    const peers = await open(port, many(100));
    return async () => {
      for (const peer of peers) {
        for (let id = 0; id < 90; id += 1) peer.send('lock', { lockName: 'hot', owner: `${id}`, timeLimit: 1 }, id);
      }
      await Promise.all(peers.map((peer) => peer.replied(90)));
    };
  },
  'messages that never end': async (port) => {
    const peers = await open(port, many(500));
    const bytes = Buffer.alloc(900_000, 0x61);
    bytes.write('{"command":"', 0, 'latin1');
    return async () => {
      for (const peer of peers) peer.socket.write(bytes);
      await setTimeout(isShort ? 100 : 3_000);
    };
  },
  /** Sessions with many locks that end at once. */
  ends: async (port) => {
    const peers = await open(port, many(1_000));
    await Promise.all(peers.map((peer, number) => fill(peer, 50, (index) => `own/${number}/${index}`)));
    return async () => {
      for (const peer of peers) peer.reset();
      await setTimeout(isShort ? 100 : 1_000);
    };
  },
  connections: async (port) => async () => {
    for (let round = 0; round < many(50); round += 1) {
      for (const peer of await open(port, 100)) peer.socket.destroy();
    }
  },
  /** One request takes a lock from very many, whose readers have stopped reading. */
  'taken from many': async (port) => {
    const peers = await open(port, 20);
    const one = (index: number) => ({ lockName: 'hot', mode: 'shared', owner: `${index}`, stealable: true });
    await Promise.all(peers.map((peer) => fillWith(peer, many(9_900), one)));
    for (const peer of peers.slice(0, 10)) peer.socket.pause();
    const [thief, ...denied] = (await open(port, 10)) as [Peer, ...Peer[]];
    return async () => {
      thief.send('lock', { lockName: 'hot', steal: true });
      await thief.replied(1);
      for (const peer of denied) peer.send('lock', { lockName: 'hot', steal: true });
      await Promise.all(denied.map((peer) => peer.replied(1)));
    };
  },
  /** The same with names of bytes that are no text: each holder is told 120,000 bytes. */
  'taken with long names': async (port) => {
    const peers = await open(port, many(40));
    const lockName = '\udcff'.repeat(20_000);
    const one = (index: number) => ({ lockName, mode: 'shared', owner: `${index}`, stealable: true });
    await Promise.all(peers.map((peer) => fillWith(peer, 40, one)));
    const thief = await Peer.open(port);
    return async () => {
      thief.send('lock', { lockName, steal: true });
      await thief.replied(1);
    };
  },
  /** One request frees thousands of locks, for each of which several wait. */
  unlockAll: async (port) => {
    const holder = await Peer.open(port);
    await fill(holder, many(9_900), (index) => `hot ${index}`);
    const crowd = await open(port, 20);
    const one = (index: number) => ({ lockName: `hot ${index}`, mode: 'shared' });
    await Promise.all(crowd.map((peer) => queueWith(peer, 'lock', many(9_900), one)));
    return async () => {
      holder.send('unlockAll', {}, 'all');
      await Promise.all([holder.replied(many(9_900) + 1), ...crowd.map((peer) => peer.replied(many(9_900) + 1))]);
    };
  },
  /** Each of some owners asks for its lock thousands of times, and all of that is granted at once. */
  'one lock asked for very often': async (port) => {
    const holder = await Peer.open(port);
    const crowd = await open(port, 20);
    await fill(holder, crowd.length, (number) => `hot ${number}`);
    const askEach = (peer: Peer, number: number) =>
      queueWith(peer, 'lock', many(9_900), () => ({ lockName: `hot ${number}` }));
    await Promise.all(crowd.map(askEach));
    return async () => {
      holder.send('unlockAll', {}, 'all');
      await Promise.all(crowd.map((peer) => peer.replied(many(9_900) + 1)));
    };
  },
  /** One unlock lets in many requests for a thousand locks each. */
  'lockAlls let in': async (port) => {
    const holder = await Peer.open(port);
    await fill(holder, 1, () => 'hot');
    const locks = ['hot', ...Array(990).keys()].map((name) => ({ lockName: `${name}`, mode: 'shared' }));
    const crowd = await open(port, many(20));
    await Promise.all(crowd.map((peer) => queueWith(peer, 'lockAll', 10, (owner) => ({ locks, owner: `${owner}` }))));
    return async () => {
      holder.send('unlock', { lockName: 'hot' });
      await Promise.all(crowd.map((peer) => peer.replied(11)));
    };
  },
  /** Sessions with thousands of waits that end at once. */
  'ends of waits': async (port) => {
    const holder = await Peer.open(port);
    await fill(holder, many(9_900), (index) => `hot ${index}`);
    const crowd = await open(port, 50);
    const one = (index: number) => ({ lockName: `hot ${index}` });
    await Promise.all(crowd.map((peer) => queueWith(peer, 'lock', many(9_900), one)));
    return async () => {
      for (const peer of crowd) peer.reset();
      await setTimeout(isShort ? 100 : 4_000);
    };
  },
  /** A hold ends that thousands of requests for several locks name. */
  'lockAlls that name a hold': async (port) => {
    const holder = await Peer.open(port);
    await fill(holder, many(4_900), (index) => `hot ${index}`);
    const crowd = await open(port, 20);
    await Promise.all(crowd.map((peer, number) => fill(peer, 1, () => `own ${number}`)));
    const groups = crowd.map((peer, number) => {
      const own = { lockName: `own ${number}` };
      return queueWith(peer, 'lockAll', many(4_900), (index) => ({ locks: [own, { lockName: `hot ${index}` }] }));
    });
    await Promise.all(groups);
    return async () => {
      for (const [number, peer] of crowd.entries()) peer.send('unlock', { lockName: `own ${number}` }, 'own');
      await Promise.all(crowd.map((peer) => peer.replied(many(4_900) + 3)));
    };
  },
  /** Answers with long names that are no text. */
  'lockAlls of long names': async (port) => {
    const names = Array.from({ length: 17 }, (_, index) => `${index}${'\udcff'.repeat(9_000)}`);
    const locks = names.map((lockName) => ({ lockName, mode: 'shared' }));
    const peers = await open(port, many(20));
    for (const peer of peers) {
      peer.send('lockAll', { locks });
      await peer.replied(1);
    }
    return async () => {
      for (const peer of peers) for (let id = 0; id < 4; id += 1) peer.send('lockAll', { locks }, id);
      await Promise.all(peers.map((peer) => peer.replied(5)));
    };
  },
  'messages of many values': async (port) => {
    const peers = await open(port, 20);
    const deep = '['.repeat(500_000) + ']'.repeat(500_000);
    const members = Array.from({ length: 90_000 }, (_, index) => `"${index}":0`).join(',');
    const allowed = Array.from({ length: 9_900 }, (_, index) => `"a name ${index}":0`).join(',');
    return async () => {
      for (const peer of peers) {
        for (const values of [deep, `{${members}}`, `{${allowed}}`]) {
          peer.socket.write(`{"command":"ping","id":1,"values":${values}}\n`);
        }
      }
      await Promise.all(peers.map((peer) => peer.replied(3)));
    };
  },
};
