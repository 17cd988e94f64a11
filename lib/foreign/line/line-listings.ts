/** The listings of the line protocol. They may be long, so they are sent in pieces, as the client reads. */

import type { LockKind } from '../../locks/types.ts';
import type { PagedWork } from '../../message/paged-work.ts';
import { mapResult, PendingResult } from '../../message/pending-result.ts';
import type { LockInformation } from '../../protocol.ts';
import type { HoldersPage, LockManager, PageLimits, Pages } from '../../server/lock-manager.ts';
import type { LockServerParts } from '../../server/lock-protocol.ts';
import type { NameRegistry } from '../../server/name-registry.ts';
import type { LockServerSession } from '../../server/session.ts';
import type { LineReply } from './line-codec.ts';

/** A page of text, and a function that makes the next page unless this is the last. */
interface Page {
  readonly text: string;
  readonly next?: () => Page | PendingResult<Page>;
}

/** Makes listings of one server. */
export class LineListings {
  readonly #manager: LockManager;
  readonly #registry: NameRegistry;
  readonly #pagedWork: PagedWork;
  readonly #limits: PageLimits;

  constructor({ manager, registry, pagedWork, limits }: LockServerParts) {
    this.#manager = manager;
    this.#registry = registry;
    this.#pagedWork = pagedWork;
    this.#limits = limits;
  }

  /** One line for each holder, or for each holder of one name, in the order of the grants. */
  holders(session: LockServerSession, kind: LockKind, lockName?: string): PendingResult<LineReply> {
    return this.#send(session, () => this.#holdersPage(session, this.#manager.listHolders(kind, lockName)));
  }

  /** A text, then all holders of reader/writer locks, then all holders of permits. */
  allHoldersBehind(session: LockServerSession, text: string): PendingResult<LineReply> {
    const all = (kind: LockKind): Page | PendingResult<Page> =>
      this.#holdersPage(session, this.#manager.listHolders(kind));
    return this.#send(session, () => ({ text, next: () => chain(all('readerWriter'), () => all('permit')) }));
  }

  /** All names on one line with the addresses of their holders, as Go prints a map. */
  dump(session: LockServerSession, kind: LockKind): PendingResult<LineReply> {
    const listing = this.#manager.list({ prefix: '', kind });
    const page = (separator: string): Page | PendingResult<Page> =>
      mapResult(this.#nextPage(session, listing), ({ locks, next }): Page => {
        const held = locks.filter(({ holderCount }) => holderCount > 0);
        const entries = held.map((lock) => this.#dumpEntry(session, kind, lock));
        const then = (): Page | PendingResult<Page> =>
          next === undefined ? { text: ']\n' } : page(entries.length > 0 ? ' ' : separator);
        return inSequence(entries, separator, then);
      });
    return this.#send(session, () => ({ text: 'map[', next: () => page('') }));
  }

  /** One line for each client that has a name, or that has this name. */
  who(session: LockServerSession, name: string | undefined): PendingResult<LineReply> {
    const page = (after: number): Page => {
      const { clients, next } = this.#registry.page(name, after, this.#limits.maxPageEntries);
      const text = clients.map((client) => `${client.address}: ${inOneLine(client.name)}\n`).join('');
      return next === undefined ? { text } : { text, next: () => page(next) };
    };
    return this.#send(session, () => page(0));
  }

  #nextPage<Each extends object>(session: LockServerSession, listing: Pages<Each>): PendingResult<Each> {
    return listing.nextPage(this.#limits.maxPageEntries, () => !session.connection.isClosed);
  }

  #holdersPage(session: LockServerSession, listing: Pages<HoldersPage>): Page | PendingResult<Page> {
    return mapResult(this.#nextPage(session, listing), ({ holders, isLast }): Page => {
      const text = holders.map((holder) => describeHolder(holder.lockName, holder)).join('');
      return isLast ? { text } : { text, next: () => this.#holdersPage(session, listing) };
    });
  }

  /** One name with the addresses of its holders: only the first for a reader/writer lock, all for a permit. */
  #dumpEntry(session: LockServerSession, kind: LockKind, { lockName, holders, holderCount }: LockInformation): Page {
    const addresses = holders.map(({ address }) => address);
    const name = inOneLine(lockName);
    if (kind === 'readerWriter') return { text: `${name}:${addresses[0] ?? ''}` };
    if (addresses.length >= holderCount) return { text: `${name}:[${addresses.join(' ')}]` };
    const listing = this.#manager.listHolders(kind, lockName);
    const further = (separator: string): Page | PendingResult<Page> =>
      mapResult(this.#nextPage(session, listing), (page): Page => {
        const addressesThere = page.holders.map(({ address }) => address).join(' ');
        const text = page.holders.length > 0 ? separator + addressesThere : '';
        return page.isLast
          ? { text: `${text}]` }
          : { text, next: () => further(page.holders.length > 0 ? ' ' : separator) };
      });
    return { text: `${name}:[`, next: () => further('') };
  }

  /** Sends the pages. The last one is the result. */
  #send(session: LockServerSession, firstPage: () => Page | PendingResult<Page>): PendingResult<LineReply> {
    const last = new PendingResult<LineReply>();
    let isInPieces = false;
    const sendPiece = (nextPage: () => Page | PendingResult<Page>): void =>
      this.#pagedWork.add(session, (done) => {
        collect(nextPage, '', ({ text, next }) => {
          done();
          if (next === undefined) {
            last.settle(isInPieces ? { text, isLastPiece: true } : { text });
            return;
          }
          session.connection.send({ text }, 'continued');
          isInPieces = true;
          sendPiece(next);
        });
      });
    sendPiece(firstPage);
    return last;
  }
}

/** Text is collected up to this length before it is sent. */
const PIECE_CHARACTERS = 65_536;

/** Joins pages behind a text until they make a piece or are over. */
function collect(
  nextPage: () => Page | PendingResult<Page>,
  before: string,
  whenCollected: (piece: Page) => void,
): void {
  mapResult(nextPage(), (page) => {
    const text = before + page.text;
    if (page.next === undefined || text.length >= PIECE_CHARACTERS) whenCollected({ ...page, text });
    else collect(page.next, text, whenCollected);
    return page;
  });
}

/** Joins entries with spaces, after `separator`. Entries of a single page are put into one text. */
function inSequence(entries: readonly Page[], separator: string, then: () => Page | PendingResult<Page>): Page {
  let text = '';
  for (const [index, entry] of entries.entries()) {
    text += (index === 0 ? separator : ' ') + entry.text;
    const { next } = entry;
    if (next === undefined) continue;
    const rest = entries.slice(index + 1);
    return { text, next: () => chain(next(), () => inSequence(rest, ' ', then)) };
  }
  return { text, next: then };
}

/** Continues one listing with another. */
function chain(first: Page | PendingResult<Page>, then: () => Page | PendingResult<Page>): Page | PendingResult<Page> {
  return mapResult(
    first,
    ({ text, next }): Page => ({ text, next: next === undefined ? then : () => chain(next(), then) }),
  );
}

interface Holder {
  readonly name: string;
  readonly address: string;
}

function describeHolder(lockName: string, { name, address }: Holder): string {
  return `${inOneLine(lockName)}: ${inOneLine(name) || address}\n`;
}

/** Names that came by message may contain line breaks. */
function inOneLine(name: string): string {
  return name.replace(/[\r\n]/g, ' ');
}
