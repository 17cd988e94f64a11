import { expect } from 'chai';
import { endTest } from '../server/clean-up.ts';
import { MonitoredServer } from './monitored-server.ts';

describe('the API', () => {
  afterEach(endTest);

  it('tells who blocks whom: a lock is below the waiter who holds it', async () => {
    const server = await MonitoredServer.start();
    const [first, second, third] = await server.running.connectThree();
    await first.take('report', { owner: 'a' });
    await second.take('stock', { owner: 'b' });
    await second.queue(7, 'report', { owner: 'b' });
    await third.queue(8, 'stock', { owner: 'c' });
    const { blocked, longestWaits, longestHolds, holders, waiters } = await server.api('blocked');
    expect(blocked).to.have.lengthOf(1);
    expect(blocked[0]).to.deep.include({ lockName: 'report', kind: 'readerWriter', holderCount: 1, blockedCount: 2 });
    expect(blocked[0].holders[0]).to.deep.include({ owner: 'a', waitsFor: [] });
    const [waiter] = blocked[0].waiters;
    expect(waiter).to.deep.include({ owner: 'b', holds: [{ lockName: 'stock', kind: 'readerWriter' }] });
    expect(waiter.blocks).to.have.lengthOf(1);
    expect(waiter.blocks[0]).to.deep.include({ lockName: 'stock', blockedCount: 1 });
    expect(waiter.blocks[0].waiters[0]).to.deep.include({ owner: 'c', blocks: [] });
    expect(longestWaits.map(({ lockName }: { lockName: string }) => lockName)).to.have.members(['report', 'stock']);
    expect(longestHolds.map(({ lockName }: { lockName: string }) => lockName)).to.have.members(['report', 'stock']);
    expect(holders).to.deep.equal({ exclusive: 2, shared: 0, permit: 0 });
    expect(waiters).to.deep.equal({ exclusive: 2, shared: 0, permit: 0 });
  });

  it('tells locks page by page, one lock, clients, and what a client has', async () => {
    const server = await MonitoredServer.start();
    const [holder, waiter] = await server.running.connectWaiter('b');
    for (const name of ['a', 'c', '\udc80']) await holder.take(name);
    await waiter.ask('identify', { name: 'Batch' });
    const first = await server.api('locks?max=2');
    expect(first.locks.map(({ lockName }: { lockName: string }) => lockName)).to.deep.equal(['a', 'b']);
    const second = await server.api(`locks?max=2&after=${first.next}`);
    expect(second.locks.map(({ lockName }: { lockName: string }) => lockName)).to.deep.equal(['c', '\udc80']);
    expect(await server.api('lock?name=b')).to.deep.include({ lockName: 'b', holderCount: 1, waiterCount: 1 });
    expect(await server.api(`lock?nameJson=${encodeURIComponent('"\\udc80"')}`)).to.deep.include({ holderCount: 1 });
    expect(await server.api('clients')).to.deep.include({ count: 2 });
    const { count, clients } = await server.api('clients?search=batch');
    expect([count, clients[0].name, clients[0].state, clients[0].claimCount]).to.deep.equal([
      1,
      'Batch',
      'connected',
      1,
    ]);
    const { holds, waits } = await server.api(`client?address=${clients[0].address}`);
    expect([holds.length, waits[0].lockName, waits[0].position]).to.deep.equal([0, 'b', 1]);
    expect((await server.get('api/client?address=1.2.3.4:5')).status).to.equal(404);
  });

  it('names a parameter that is wrong', async () => {
    const server = await MonitoredServer.start();
    const answers = await Promise.all(
      ['lock', 'locks?max=0', 'locks?max=x', 'lock?nameJson=5'].map((path) => server.get(`api/${path}`)),
    );
    expect(answers.map(({ status, text }) => [status, text])).to.deep.equal([
      [400, 'the parameter name is missing; expected the name of a lock\n'],
      [400, 'the parameter max is 0; expected a whole number from 1 to 1000\n'],
      [400, 'the parameter max is x; expected a whole number from 1 to 1000\n'],
      [400, 'the parameter nameJson is 5; expected a string in JSON\n'],
    ]);
  });

  it('tells no names where nobody may list locks', async () => {
    const server = await MonitoredServer.start({ dump: false });
    for (const path of ['blocked', 'locks', 'lock?name=a', 'clients', 'client?address=a', 'history']) {
      expect((await server.get(`api/${path}`)).status, path).to.equal(403);
    }
    expect((await server.get('api/status')).status).to.equal(200);
    expect((await server.get('metrics')).status).to.equal(200);
  });

  it('tells the history of a lock', async () => {
    const server = await MonitoredServer.start();
    const client = await server.running.connect();
    await client.take('a');
    await client.ask('unlock', { lockName: 'a' });
    const { records } = await server.api('history?name=a');
    expect(records).to.have.lengthOf(1);
    expect(records[0]).to.deep.include({ kind: 'hold', reason: 'released', lockName: 'a' });
    expect((await server.api('history?name=b')).records).to.deep.equal([]);
  });

  it('sends events as they come', async () => {
    const server = await MonitoredServer.start();
    await (await server.running.connect()).take('a');
    const response = await fetch(`${server.url}api/events`);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let text = '';
    while (!text.includes('event: blocked')) text += new TextDecoder().decode((await reader.read()).value);
    expect(text).to.match(/^event: status\ndata: \{"server":"holdfast"/);
    await reader.cancel();
  });
});
