/**
 * Replays the conversations in the documents with a real server. Client A sends a line that begins with `A> ` and receives
 * one that begins with `A< `. `A> (reset)` resets its connection, and `A< (closed)` is the end of it. A line that begins with `-- `
 * tells what happens to the server. Tokens, addresses and times differ from run to run, so they are compared by kind.
 */

import { expect } from 'chai';
import type { NoDestination } from '../../lib/cluster/standby.ts';
import { LineClient } from '../foreign/line-client.ts';

/** One conversation of a document. */
export interface Transcript {
  readonly title: string;
  readonly settings: {
    readonly limits?: Record<string, number>;
    readonly forceUnlock?: boolean;
    /** Whether the server keeps a history of everything. */
    readonly history?: boolean;
    /** Whether the server has a state directory. */
    readonly state?: boolean;
    /** What the server answers to `cluster`. */
    readonly cluster?: object;
    /** Where the leader is if the server stands by, or why it knows of none. */
    readonly standby?: { readonly leader: string } | { readonly reason: NoDestination };
  };
  readonly lines: readonly string[];
}

/** The server of a conversation. */
export interface TranscriptServer {
  /** Another one after another start. */
  readonly port: number;
  /** Does to the server what the text says. */
  carryOut(text: string): Promise<void>;
}

/** The `transcript` blocks of a document in Markdown. */
export function readTranscripts(markdown: string): Transcript[] {
  const transcripts: Transcript[] = [];
  let title = '';
  const pattern = /^#+ (.+)$|^```transcript(?: settings=(.*))?\n([\s\S]*?)^```$/gm;
  for (const [, heading, settings, body] of markdown.matchAll(pattern)) {
    if (heading !== undefined) title = heading;
    else transcripts.push({ title, settings: JSON.parse(settings ?? '{}'), lines: (body ?? '').trimEnd().split('\n') });
  }
  return transcripts;
}

const LAST_QUESTION = '{"command":"ping","id":"nothing more"}';
const LAST_ANSWER = '{"id":"nothing more","result":{"status":"ok"}}';

/** Replays one with that server; throws when an answer differs. */
export async function replay(transcript: Transcript, server: TranscriptServer): Promise<void> {
  const clients = new Map<string, LineClient>();
  const tokens = new TokenPairs();
  for (const line of transcript.lines) {
    if (line.startsWith('-- ')) {
      await server.carryOut(line.slice(3));
      continue;
    }
    const [, name = '', direction, text = ''] = /^(\w)([<>]) (.+)$/.exec(line) ?? [];
    expect(direction, `a line of a transcript: ${line}`).to.be.a('string');
    const client = clients.get(name) ?? (await LineClient.connect(server.port));
    clients.set(name, client);
    if (direction === '>' && text === '(reset)') {
      client.socket.resetAndDestroy();
      clients.delete(name);
    } else if (direction === '>') {
      client.send(tokens.actual(text));
    } else if (text === '(closed)') {
      await client.closed;
      clients.delete(name);
    } else compare(JSON.parse(text), JSON.parse(await client.next()), tokens, line);
  }
  for (const client of clients.values()) expect(await client.ask(LAST_QUESTION)).to.equal(LAST_ANSWER);
}

/** Maps tokens of the document to those of the server, one to one and in the same order; and the ids and secrets of sessions. */
class TokenPairs {
  readonly #actual = new Map<number, number>();
  readonly #actualTexts = new Map<string, string>();

  matchText(documented: string, actual: unknown): void {
    const known = this.#actualTexts.get(documented);
    if (known !== undefined) expect(actual, documented).to.equal(known);
    expect(actual, documented).to.be.a('string').with.lengthOf(documented.length);
    this.#actualTexts.set(documented, actual as string);
  }

  match(documented: number, actual: number): void {
    const known = this.#actual.get(documented);
    if (known !== undefined) {
      expect(actual, `token ${documented}`).to.equal(known);
      return;
    }
    for (const [otherDocumented, otherActual] of this.#actual) {
      expect(actual > otherActual, 'the order of the tokens').to.equal(documented > otherDocumented);
    }
    this.#actual.set(documented, actual);
  }

  /** A line to send, with the server's tokens instead of the document's. */
  actual(text: string): string {
    return text
      .replace(/\b\d{16}\b/g, (token) => String(this.#actual.get(Number(token)) ?? token))
      .replace(/"([\w-]+)"/g, (_, word: string) => `"${this.#actualTexts.get(word) ?? word}"`);
  }
}

const ADDRESS = /^127\.0\.0\.1:\d+$/;
const SESSION_ID = /^[\w-]{16}$/;
const UUID = /^[0-9a-f-]{36}$/;
const KINDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  heldMs: Number.isSafeInteger,
  waitedMs: Number.isSafeInteger,
  atMs: Number.isSafeInteger,
  sinceMs: Number.isSafeInteger,
  untilMs: Number.isSafeInteger,
  uptimeMs: Number.isSafeInteger,
  tableBytes: Number.isSafeInteger,
  address: (value) => ADDRESS.test(String(value)),
  epoch: (value) => UUID.test(String(value)),
  lineage: (value) => UUID.test(String(value)),
};

function compare(documented: unknown, actual: unknown, tokens: TokenPairs, where: string, key = ''): void {
  const isKind = documented === actual ? undefined : KINDS[key];
  if (isKind !== undefined) {
    expect([documented, actual].every(isKind), `${key} in ${where}, got ${String(actual)}`).to.equal(true);
  } else if (key === 'secret' || (key === 'id' && SESSION_ID.test(String(documented)))) {
    tokens.matchText(documented as string, actual);
  } else if (key === 'token') {
    tokens.match(documented as number, actual as number);
  } else if (key === 'tokens') {
    expect(actual, where).to.have.lengthOf((documented as number[]).length);
    for (const [index, token] of (documented as number[]).entries())
      tokens.match(token, (actual as number[])[index] as number);
  } else if (typeof documented === 'string' && documented.endsWith('...')) {
    // Three dots stand for anything that may follow.
    expect(actual, where).to.not.equal(undefined);
    expect(documented === '...' || String(actual).startsWith(documented.slice(0, -3)), where).to.equal(true);
  } else if (typeof documented === 'object' && documented !== null) {
    compareKeys(documented, actual, tokens, where);
  } else {
    expect(actual, where).to.equal(documented);
  }
}

function compareKeys(documented: object, actual: unknown, tokens: TokenPairs, where: string): void {
  expect(actual, where).to.be.an(Array.isArray(documented) ? 'array' : 'object');
  expect(Object.keys(actual as object), where).to.have.members(Object.keys(documented));
  for (const [key, value] of Object.entries(documented)) {
    compare(value, (actual as Record<string, unknown>)[key], tokens, where, key);
  }
}
