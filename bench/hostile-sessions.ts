/** Hostile and unlucky clients with sessions that outlive their connections. */

import { setTimeout } from 'node:timers/promises';
import { fill, type Kind, many, open, queueWith } from './hostile-acts.ts';
import { Peer } from './hostile-peer.ts';
import { isShort } from './program.ts';

/** The shortest that the server admits. */
const TIMEOUT_SECONDS = 10;
/** Somewhat fewer than a session may hold or await. */
const MOST = 9_900;

interface SessionKey {
  readonly id: string;
  readonly secret: string;
}

/** Opens a session by the first request of a connection. */
async function openSession(peer: Peer): Promise<SessionKey> {
  peer.send('hello', { protocol: 1, session: { timeout: TIMEOUT_SECONDS } });
  await peer.replied(1);
  const { result } = JSON.parse(peer.lastReply) as { readonly result: { readonly session: SessionKey } };
  return result.session;
}

function sendResume(peer: Peer, { id, secret }: SessionKey, listed: object): void {
  peer.send('hello', { protocol: 1, session: { id, secret, ...listed } });
}

/** Takes locks and returns their tokens. */
async function takeLocks(peer: Peer, count: number): Promise<number[]> {
  let text = '';
  peer.socket.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
  });
  const before = peer.replyCount;
  await fill(peer, count, (index) => `held ${index}`);
  await peer.replied(before + count);
  return [...text.matchAll(/"token":(\d+)/g)].map(([, token]) => Number(token));
}

export const SESSION_KINDS: Readonly<Record<string, Kind>> = {
  /** Very many open a session, take locks and lose their connection at the same time. */
  'sessions left behind': async (port) => {
    const peers = await open(port, many(4_000));
    await Promise.all(peers.map((peer) => openSession(peer)));
    await Promise.all(peers.map((peer, number) => fill(peer, 20, (index) => `own ${number} ${index}`)));
    return async () => {
      for (const peer of peers) peer.reset();
      await setTimeout(isShort ? 100 : (TIMEOUT_SECONDS + 2) * 1_000);
    };
  },
  /** Many connections take a session with very many holds from each other. */
  resumes: async (port) => {
    const first = await Peer.open(port);
    const key = await openSession(first);
    const holds = await takeLocks(first, many(MOST));
    const peers = await open(port, 50);
    return async () => {
      for (const peer of peers) sendResume(peer, key, { holds });
      await Promise.all(peers.map((peer) => peer.replied(1)));
    };
  },
  /** The same, and all that it lists is unknown. */
  'resumes of what never was': async (port) => {
    const first = await Peer.open(port);
    const key = await openSession(first);
    await fill(first, many(MOST), (index) => `held ${index}`);
    const peers = await open(port, 50);
    const holds = Array.from({ length: many(MOST) }, (_, index) => index);
    const requests = holds.map((id) => `request ${id}`);
    return async () => {
      for (const peer of peers) sendResume(peer, key, { holds, requests });
      await Promise.all(peers.map((peer) => peer.replied(1)));
    };
  },
  /** The answers to very many requests were lost, and their client asks for them. */
  'resumes for the answers': async (port) => {
    const first = await Peer.open(port);
    const key = await openSession(first);
    await fill(first, many(MOST), (index) => `held ${index}`);
    const next = await Peer.open(port);
    return async () => {
      sendResume(next, key, { requests: Array.from({ length: many(MOST) }, (_, index) => index) });
      await next.replied(1);
    };
  },
  /** A client comes back and gives up thousands of locks, for each of which many wait. */
  'resumes without the holds': async (port) => {
    const holder = await Peer.open(port);
    const key = await openSession(holder);
    await fill(holder, many(MOST), (index) => `hot ${index}`);
    const crowd = await open(port, 20);
    const one = (index: number) => ({ lockName: `hot ${index}`, mode: 'shared' });
    await Promise.all(crowd.map((peer) => queueWith(peer, 'lock', many(MOST), one)));
    const next = await Peer.open(port);
    return async () => {
      sendResume(next, key, {});
      await Promise.all([next.replied(1), ...crowd.map((peer) => peer.replied(many(MOST) + 1))]);
    };
  },
  /** The same with waits, each of which kept many readers from their lock. */
  'resumes without the waits': async (port) => {
    const [holder, waiter, next] = (await open(port, 3)) as [Peer, Peer, Peer];
    await fill(holder, many(MOST), (index) => `hot ${index}`);
    const shared = (index: number) => ({ lockName: `hot ${index}`, mode: 'shared' });
    await queueWith(holder, 'unlockAll', 1, () => ({}));
    await queueWith(holder, 'lock', many(MOST), shared);
    const key = await openSession(waiter);
    await queueWith(waiter, 'lock', many(MOST), (index) => ({ lockName: `hot ${index}` }));
    const crowd = await open(port, 20);
    await Promise.all(crowd.map((peer) => queueWith(peer, 'lock', many(MOST), shared)));
    return async () => {
      sendResume(next, key, {});
      await Promise.all([next.replied(1), ...crowd.map((peer) => peer.replied(many(MOST) + 1))]);
    };
  },
  /** Very many guess the secret of a session: each gets a session of its own, which it ends. */
  'guessed secrets': async (port) => {
    const { id } = await openSession(await Peer.open(port));
    const peers = await open(port, 20);
    const session = { id, secret: 'x'.repeat(32) };
    return async () => {
      for (const peer of peers) {
        for (let guess = 0; guess < many(5_000); guess += 1) {
          peer.send('hello', { protocol: 1, session }, guess);
          peer.send('bye', {}, `bye ${guess}`);
        }
      }
      await Promise.all(peers.map((peer) => peer.replied(2 * many(5_000))));
    };
  },
  /** Sessions with many locks that their clients end, all at once. */
  byes: async (port) => {
    const peers = await open(port, many(500));
    await Promise.all(peers.map((peer) => openSession(peer)));
    await Promise.all(peers.map((peer, number) => fill(peer, 100, (index) => `own ${number} ${index}`)));
    return async () => {
      for (const peer of peers) peer.send('bye', {}, 'bye');
      await Promise.all(peers.map((peer) => peer.replied(102)));
    };
  },
  /** Connections come, open a session and are gone. */
  'sessions that come and go': async (port) => async () => {
    for (let round = 0; round < many(50); round += 1) {
      const peers = await open(port, 100);
      for (const peer of peers) {
        peer.send('hello', { protocol: 1, session: { timeout: TIMEOUT_SECONDS } });
        peer.send('lock', { lockName: 'hot', mode: 'shared', owner: `${round}` }, 2);
      }
      await Promise.all(peers.map((peer) => peer.replied(2)));
      for (const [number, peer] of peers.entries()) {
        if (number % 2 === 0) peer.reset();
        else peer.socket.destroy();
      }
    }
  },
};
