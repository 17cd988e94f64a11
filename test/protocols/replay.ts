/**
 * Holds a written conversation with a real server, on whatever transport.
 *
 * A line is the letter of a client, what happens, and text:
 * `A> ` A sends this command; commands one below the other go out in one packet.
 * `A< ` A receives this line, the first of a reply; `A| ` a further line of the same reply.
 * `A$ ` A sends this without the end of the line and closes its side; `A.` waits until the server has closed its own.
 * `A! ` A closes the connection.
 *
 * `{A}` in what is received is what the server calls A's connection. How long somebody held or waited is written as 0. A
 * lone surrogate U+DC80 to U+DCFF is that byte. In the end every client that is still there sends one more command, whose
 * reply must be the next that comes.
 */

import { expect } from 'chai';
import type { LockListenOptions } from '../../lib/foreign/full-lock-server.ts';
import type { LockServerOptions } from '../../lib/server/lock-server.ts';
import { naiveEncode } from '../wire/naive-text.ts';
import type { Peer } from './peers.ts';
import { StreamPeer } from './peers.ts';
import { makeServer, type Transport, untilConnections } from './transports.ts';

/** One conversation, on a server of its own. */
export interface Transcript {
  /** What it shows. */
  readonly shows: string;
  readonly server?: LockServerOptions;
  readonly listen?: LockListenOptions;
  readonly lines: string;
}

/** Whether it can be held there: frames have no half-closing. */
export function fits(transcript: Transcript, transport: Transport): boolean {
  return transport.canHalfClose || !/^\s*\w\$/m.test(transcript.lines);
}

/** Holds it; throws where something else comes than was expected. */
export async function replay(transcript: Transcript, transport: Transport): Promise<void> {
  const conversation = await Conversation.start(transcript, transport);
  const steps = transcript.lines.split('\n').map((line) => line.trimStart());
  for (const step of joinSteps(steps.filter((line) => line !== ''))) await conversation.take(step);
  await conversation.expectNothingMore();
}

/** Commands that go out together, or the lines of one reply. */
interface Step {
  readonly client: string;
  readonly kind: string;
  readonly texts: string[];
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
      peer.send(texts.map(naiveEncode));
    } else if (kind === '<') {
      const received = await peer.receive(texts.length);
      expect(withoutTimes(received), `to ${client}`).to.equal(texts.map(this.#expected).join('\n'));
    } else if (kind === '$') {
      expect(peer).to.be.instanceOf(StreamPeer);
      (peer as StreamPeer).finish(naiveEncode(texts[0] ?? ''));
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
    // It is counted before anybody else says anything.
    await untilConnections(this.#server, this.#peers.size - this.#gone.size);
    return peer;
  }

  /** In Latin-1, as replies come. */
  readonly #expected = (text: string): string => {
    const named = text.replace(/\{(\w)\}/g, (_, client: string) => this.#peers.get(client)?.address ?? 'nobody');
    return naiveEncode(named).toString('latin1');
  };
}

/** The duration itself is nobody's business here, as long as it is one. */
function withoutTimes(received: string): string {
  return received.replace(/"(heldMs|waitedMs)":\d+(?=[,}])/g, '"$1":0');
}

/** What the last question is to a client that speaks in JSON. */
const UNKNOWN_TO_MESSAGES =
  '{"error":{"status":"invalid","message":"not JSON: Unexpected token \'s\', \\"si nothing more\\" is not valid JSON"}}';
