/**
 * Replays a written conversation with a real server, on any transport.
 *
 * A line is a client's letter, then one of these:
 * `A> ` A sends this command. Commands on lines that follow each other go out in one packet.
 * `A< ` A receives this line, the first of a reply. `A| ` is a further line of the same reply.
 * `A> command => reply` does both, if the reply is one line.
 * `A$ ` A sends this without the end of the line and closes its side. `A.` waits until the server has closed its own.
 * `A! ` A closes the connection.
 *
 * In a reply, `{A}` is the server's name for A's connection, and times held or waited are written as 0. A lone surrogate
 * U+DC80 to U+DCFF is that byte. At the end every client that is still there sends one more command, and its reply must
 * come next.
 */

import { expect } from 'chai';
import type { LockListenOptions } from '../../lib/foreign/full-lock-server.ts';
import type { LockServerOptions } from '../../lib/server/lock-server-options.ts';
import { makeServer, untilConnections } from '../server/running-server.ts';
import { naiveEncode } from '../wire/naive-text.ts';
import type { Peer } from './peers.ts';
import { StreamPeer } from './peers.ts';
import type { Transport } from './transports.ts';

/** One conversation, on a server of its own. */
export interface Transcript {
  readonly shows: string;
  readonly server?: LockServerOptions;
  readonly listen?: LockListenOptions;
  readonly lines: string;
}

/** Whether this transport can replay it: frames cannot close one side only. */
export function fits(transcript: Transcript, transport: Transport): boolean {
  return transport.canHalfClose || !/^\s*\w\$/m.test(transcript.lines);
}

/** Replays it; throws when the server answers anything else. */
export async function replay(transcript: Transcript, transport: Transport): Promise<void> {
  const conversation = await Conversation.start(transcript, transport);
  const lines = transcript.lines.split('\n').map((line) => line.trimStart());
  for (const step of joinSteps(lines.filter((line) => line !== '').flatMap(splitPair))) await conversation.take(step);
  await conversation.expectNothingMore();
}

/** The naive way takes long, and only bytes that are no Unicode need it. */
function encode(text: string): Buffer {
  return /\p{Surrogate}/u.test(text) ? naiveEncode(text) : Buffer.from(text);
}

/** Commands that go out together, or the lines of one reply. */
interface Step {
  readonly client: string;
  readonly kind: string;
  readonly texts: string[];
}

/** Splits `A> command => reply` into its two lines. */
function splitPair(line: string): string[] {
  const [command = '', reply] = line.split(' => ');
  return reply === undefined ? [line] : [command, `${line[0]}< ${reply}`];
}

function joinSteps(lines: readonly string[]): Step[] {
  const steps: Step[] = [];
  for (const line of lines) {
    const [, client = '', kind = '', text = ''] = /^(\w)([><|$.!])(?: (.*))?$/s.exec(line) ?? [];
    if (client === '') throw new Error(`not a line of a conversation: ${line}`);
    const last = steps.at(-1);
    const goesOn = last?.client === client && (kind === '|' ? last.kind === '<' : kind === '>' && last.kind === '>');
    if (last !== undefined && goesOn) last.texts.push(text);
    else steps.push({ client, kind, texts: [text] });
  }
  return steps;
}

class Conversation {
  readonly #peers = new Map<string, Peer>();
  readonly #gone = new Set<Peer>();
  readonly #connect: (connectionNumber: number) => Promise<Peer>;
  readonly #server: ReturnType<typeof makeServer>;

  private constructor(server: ReturnType<typeof makeServer>, connect: (connectionNumber: number) => Promise<Peer>) {
    this.#server = server;
    this.#connect = connect;
  }

  static async start({ server: options, listen }: Transcript, transport: Transport): Promise<Conversation> {
    const server = makeServer(options);
    return new Conversation(server, (await transport.listen(server, listen)).connect);
  }

  async take({ client, kind, texts }: Step): Promise<void> {
    const peer = await this.#peer(client);
    if (kind === '>') {
      peer.send(texts.map(encode));
    } else if (kind === '<') {
      const received = await peer.receive(texts.length);
      expect(withoutTimes(received), `to ${client}`).to.equal(texts.map(this.#expected).join('\n'));
    } else if (kind === '$') {
      expect(peer).to.be.instanceOf(StreamPeer);
      (peer as StreamPeer).finish(encode(texts[0] ?? ''));
    } else {
      await this.#leave(peer, kind);
    }
  }

  async expectNothingMore(): Promise<void> {
    for (const peer of this.#peers.values()) {
      if (this.#gone.has(peer)) {
        expect(peer.unreadCount).to.equal(0);
        continue;
      }
      peer.send([Buffer.from('si nothing more')]);
      const last = await peer.receive(1);
      expect(last).to.be.oneOf(['0 Shared Lock Not Locked: nothing more', '0 Not Locked', UNKNOWN_TO_MESSAGES]);
      expect(peer.unreadCount).to.equal(0);
    }
  }

  async #leave(peer: Peer, kind: string): Promise<void> {
    this.#gone.add(peer);
    if (kind === '!') peer.close();
    await peer.closed;
    await untilConnections(this.#server, this.#peers.size - this.#gone.size);
  }

  async #peer(client: string): Promise<Peer> {
    const known = this.#peers.get(client);
    if (known !== undefined) return known;
    const peer = await this.#connect(this.#peers.size + 1);
    this.#peers.set(client, peer);
    // The server must count it before anybody else sends anything.
    await untilConnections(this.#server, this.#peers.size - this.#gone.size);
    return peer;
  }

  /** In Latin-1, as peers return replies. */
  readonly #expected = (text: string): string => {
    const named = text.replace(/\{(\w)\}/g, (_, client: string) => this.#peers.get(client)?.address ?? 'nobody');
    return encode(named).toString('latin1');
  };
}

/** Replaces durations, which tests must not assert. */
function withoutTimes(received: string): string {
  return received.replace(/"(heldMs|waitedMs)":\d+(?=[,}])/g, '"$1":0');
}

/** The reply to the last command on a connection that speaks JSON. */
const UNKNOWN_TO_MESSAGES =
  '{"error":{"status":"invalid","message":"not JSON: Unexpected token \'s\', \\"si nothing more\\" is not valid JSON"}}';

const KEYS = [
  ...['command_d', 'command_dump', 'command_g', 'command_i', 'command_iam', 'command_me', 'command_q', 'command_r'],
  ...['command_sd', 'command_sg', 'command_si', 'command_sr', 'command_who'],
  ...['connections', 'invalid_commands', 'locks', 'orphans', 'shared_locks', 'shared_orphans'],
];
const SHOWN_FROM_FIRST_USE = ['command_iam', 'command_me', 'command_who'];

/**
 * The whole reply to `q` with these counts, as lines of a conversation. Of those left out, `command_q` and `connections`
 * are 1 and all others 0.
 */
export function statistics(client: string, counts: Readonly<Record<string, number>>): string {
  const all: Readonly<Record<string, number>> = { command_q: 1, connections: 1, ...counts };
  const shown = KEYS.filter((key) => key in all || !SHOWN_FROM_FIRST_USE.includes(key));
  return shown.map((key, index) => `${client}${index === 0 ? '<' : '|'} ${key}: ${all[key] ?? 0}`).join('\n');
}
