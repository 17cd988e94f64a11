/** What many kinds of hostile clients do. */

import { Peer } from './hostile-peer.ts';
import { isShort } from './program.ts';

/** A short run is a hundredth of a long one, to see that the program works. */
const SCALE = isShort ? 0.02 : 1;

/** How many of something, fewer in a short run. */
export function many(count: number): number {
  return Math.max(2, Math.round(count * SCALE));
}

export function open(port: number, count: number): Promise<Peer[]> {
  return Promise.all(Array.from({ length: count }, () => Peer.open(port)));
}

/** Takes locks with these names. */
export function fill(peer: Peer, count: number, nameOf: (index: number) => string): Promise<void> {
  return fillWith(peer, count, (index) => ({ lockName: nameOf(index) }));
}

/** Takes locks by writes of a hundred requests, each with the parameters that it is given. */
export async function fillWith(peer: Peer, count: number, parametersOf: (index: number) => object): Promise<void> {
  const before = peer.replyCount;
  for (let index = 0; index < count; index += 1) {
    peer.send('lock', parametersOf(index), index);
    if (index % 100 === 99) await peer.replied(before + index + 1);
  }
  await peer.replied(before + count);
}

/** Makes requests that wait. They are followed by one that is answered. */
export async function queueWith(
  peer: Peer,
  command: 'lock' | 'lockAll' | 'unlockAll',
  count: number,
  parametersOf: (index: number) => object,
): Promise<void> {
  for (let index = 0; index < count; index += 1) peer.send(command, parametersOf(index), index);
  const before = peer.replyCount;
  peer.send('ping', {}, 'last');
  await peer.replied(before + 1);
}

/** What one kind needs before the bystander comes, and what it does beside it. */
export type Kind = (port: number, ports: OtherPorts) => Promise<() => Promise<void>>;

/** Where the server speaks other than by bare TCP; without `openssl` there is no TLS. */
export interface OtherPorts {
  readonly webSocket: number;
  readonly tls: number | undefined;
}

/** A lock that somebody holds and many wait for. */
export async function crowdFor(port: number, count: number): Promise<Peer> {
  const [holder, crowd] = (await open(port, 2)) as [Peer, Peer];
  holder.send('lock', { lockName: 'hot' });
  await holder.replied(1);
  for (let index = 0; index < count; index += 1) crowd.send('lock', { lockName: 'hot', owner: `${index}` }, index);
  crowd.send('stats', {}, 'last');
  await crowd.replied(1);
  return holder;
}
