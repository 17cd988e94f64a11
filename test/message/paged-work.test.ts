import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { MessageSession } from '../../lib/message/message-session.ts';
import { PagedWork } from '../../lib/message/paged-work.ts';
import type { RawClient } from '../server/raw-client.ts';
import { closeStreams, connectionThat } from '../support/connection-by-hand.ts';
import { messageScope } from '../support/message-scope.ts';
import { refusalsOf } from '../support/refusals.ts';
import { workLong } from '../support/work-long.ts';

const SOFT_BYTES = 65_536;
const PAGE_BYTES = 1_048_576;
/** More than sockets keep on their own. */
const PAGES = 60;

describe('MessageServer: commands that are served in pages', () => {
  const scope = messageScope();

  it('serves the listings of one client one after the other, and those of another client meanwhile', async () => {
    const server = await scope.startServer();
    const [greedy, modest] = [await scope.connectPeer(), await scope.connectPeer()];
    for (const key of ['first', 'second', 'third']) greedy.send({ command: 'page', parameters: { key }, id: key });
    await greedy.settle();
    expect(server.pages).to.deep.equal(['first']);
    modest.send({ command: 'page', parameters: { key: 'other' }, id: 1 });
    await modest.settle();
    expect(server.pages).to.deep.equal(['first', 'other']);
    for (const key of ['other', 'first', 'second', 'third']) await modest.request('release', { key }, key);
    const replies = await greedy.nextMany(3);
    expect(replies.map(({ id }) => id)).to.deep.equal(['first', 'second', 'third']);
    expect(server.pages).to.deep.equal(['first', 'other', 'second', 'third']);
  });

  it('serves other commands of the client before pages that it asked for earlier', async () => {
    await scope.startServer();
    const peer = await scope.connectPeer();
    peer.send({ command: 'page', parameters: { key: 'slow' }, id: 1 });
    expect(await peer.request('add', {}, 2)).to.have.nested.property('result.count', 1);
    peer.send({ command: 'release', parameters: { key: 'slow' } });
    expect(await peer.next()).to.have.property('id', 1);
  });

  it('refuses more than maxPendingListings of one client', async () => {
    const server = await scope.startServer({ maxPendingListings: 2 });
    const peer = await scope.connectPeer();
    for (const key of ['first', 'second']) peer.send({ command: 'page', parameters: { key }, id: key });
    const refusal = { status: 'limit', limit: 'maxPendingListings', value: 2 };
    expect(await peer.request('page', { key: 'third' }, 3)).to.deep.equal({ id: 3, result: refusal });
    const bystander = await scope.connectPeer();
    for (const key of ['first', 'second']) await bystander.request('release', { key }, key);
    await peer.nextMany(2);
    expect(refusalsOf(server.counters)).to.deep.equal({ maxPendingListings: 1 });
    peer.send({ command: 'page', parameters: { key: 'third' }, id: 3 });
    await peer.settle();
    await bystander.request('release', { key: 'third' }, 1);
    expect(await peer.next()).to.have.nested.property('result.status', 'ok');
  });

  it('makes no page for a client that does not read, and sends all of them when it reads again', async () => {
    const server = await scope.startServer({ softOutputBytes: SOFT_BYTES });
    const deaf = await scope.connectPeer();
    // The others queue behind the first page while that is awaited; otherwise they would not be read.
    deaf.send({ command: 'page', parameters: { key: 'gate' }, id: 'gate' });
    for (let id = 0; id < PAGES; id += 1) deaf.send({ command: 'page', parameters: { bytes: PAGE_BYTES }, id });
    await deaf.settle();
    deaf.socket.pause();
    const bystander = await scope.connectPeer();
    await bystander.request('release', { key: 'gate' }, 1);
    for (let id = 2; id < 100; id += 1) await bystander.request('add', {}, id);
    expect(server.unsentAtPage.length).to.be.lessThan(PAGES);
    deaf.socket.resume();
    const replies = await deaf.nextMany(PAGES + 1);
    expect(replies.map(({ id }) => id)).to.deep.equal(['gate', ...Array.from({ length: PAGES }, (_, id) => id)]);
    expect(Math.max(...server.unsentAtPage)).to.be.lessThan(SOFT_BYTES);
  });

  it('makes no page for a client that is gone', async () => {
    const server = await scope.startServer();
    const peer = await scope.connectPeer();
    for (const key of ['first', 'second']) peer.send({ command: 'page', parameters: { key }, id: key });
    await peer.settle();
    peer.socket.resetAndDestroy();
    await server.until(() => server.ended.length === 1);
    const bystander = await scope.connectPeer();
    await bystander.request('release', { key: 'first' }, 1);
    expect(server.pages).to.deep.equal(['first']);
  });

  it('answers a page that fails, and serves the next', async () => {
    await scope.startServer();
    const peer = await scope.connectPeer();
    peer.send({ command: 'page', parameters: { key: 'throw' }, id: 1 }, { command: 'page', parameters: {}, id: 2 });
    expect(await peer.next()).to.have.nested.property('error.status', 'internal');
    expect(await peer.next()).to.deep.equal({ id: 2, result: { status: 'ok', page: '' } });
  });

  it('bounds the texts in the parameters of the pages that wait', async () => {
    const server = await scope.startServer();
    const peer = await scope.connectPeer();
    const refusal = { status: 'limit', limit: 'maxPendingListings', value: 128 };
    const long = 'k'.repeat(50_000);
    expect(await peer.request('page', { key: 'x'.repeat(200_000) }, 0)).to.deep.equal({ id: 0, result: refusal });
    for (let round = 0; round < 3; round += 1) {
      for (const id of [1, 2]) peer.send({ command: 'page', parameters: { key: `${long}${id}` }, id });
      expect(await peer.request('page', { key: `${long}3` }, 3)).to.deep.equal({ id: 3, result: refusal });
      for (const key of [`${long}1`, `${long}2`]) peer.send({ command: 'release', parameters: { key } });
      await peer.nextMany(2);
      await peer.settle();
    }
    expect(server.pages).to.have.length(6);
  });

  it('bounds the requests of all clients that wait for pages by totalOutputBytes', async () => {
    const server = await scope.startServer({ totalOutputBytes: 150_000 });
    const peers = [await scope.connectPeer(), await scope.connectPeer()];
    const [first, second] = peers as [RawClient, RawClient];
    const bystander = await scope.connectPeer();
    const refusal = { status: 'limit', limit: 'totalOutputBytes', value: 150_000 };
    const [long, other] = ['k'.repeat(30_000), 'o'.repeat(30_000)];
    for (let round = 0; round < 3; round += 1) {
      first.send({ command: 'page', parameters: { key: long }, id: 1 });
      second.send({ command: 'page', parameters: { key: other }, id: 2 });
      await first.settle();
      await second.settle();
      expect(await bystander.request('page', { key: long }, 3)).to.deep.equal({ id: 3, result: refusal });
      expect(await bystander.request('page', {}, 4)).to.have.nested.property('result.status', 'ok');
      for (const key of [long, other]) bystander.send({ command: 'release', parameters: { key } });
      await first.next();
      await second.next();
    }
    first.send({ command: 'page', parameters: { key: long }, id: 1 });
    await first.settle();
    first.socket.resetAndDestroy();
    await server.until(() => server.ended.length === 1);
    second.send({ command: 'page', parameters: { key: other }, id: 2 });
    await second.settle();
    bystander.send({ command: 'page', parameters: { key: 'x'.repeat(30_000) }, id: 5 });
    await bystander.settle();
    expect(server.pages).to.have.length(9);
    expect(refusalsOf(server.counters)).to.deep.equal({ totalOutputBytes: 3 });
  });
});

describe('PagedWork', () => {
  afterEach(closeStreams);

  it('serves clients by turns once the budget of a turn is used up', async () => {
    const work = new PagedWork({ softOutputBytes: Number.POSITIVE_INFINITY }, () => false);
    const made: string[] = [];
    const [greedy, modest] = [1, 2].map(() => new MessageSession(connectionThat(() => {}).connection)) as [
      MessageSession,
      MessageSession,
    ];
    const add = (session: MessageSession, name: string): void =>
      work.add(session, (done) => {
        made.push(name);
        workLong();
        done();
      });
    for (const name of ['first', 'second', 'third', 'fourth']) add(greedy, name);
    for (const name of ['other', 'last']) add(modest, name);
    expect(made).to.deep.equal(['first']);
    while (made.length < 6) await nextTurn();
    expect(made).to.deep.equal(['first', 'second', 'other', 'third', 'last', 'fourth']);
  });

  it('makes no further piece for a client that leaves output unread, while all leave too much unread', () => {
    let isFull = false;
    const work = new PagedWork({ softOutputBytes: Number.POSITIVE_INFINITY }, () => isFull);
    const { stream, connection } = connectionThat(() => {});
    const session = new MessageSession(connection);
    const made: string[] = [];
    const add = (name: string): void =>
      work.add(session, (done) => {
        made.push(name);
        done();
      });
    stream.receive('{}\n');
    stream.isStuck = true;
    connection.send({ long: 'reply' });
    connection.flush();
    add('with room');
    isFull = true;
    add('without');
    expect(made).to.deep.equal(['with room']);
    stream.drain();
    expect(made).to.deep.equal(['with room', 'without']);
    add('read');
    expect(made).to.deep.equal(['with room', 'without', 'read']);
  });
});
