import { expect } from 'chai';
import { granted } from './answers.ts';
import { numbered } from './odd-names.ts';
import { until } from './raw-client.ts';
import { serverForEachTest } from './running-server.ts';

describe('odd messages', () => {
  const server = serverForEachTest();

  it('are refused when they have very many values, and the connection stays open', async () => {
    const client = await server.connect();
    for (const values of ['['.repeat(200_000) + ']'.repeat(200_000), `[${'0,'.repeat(200_000)}0]`]) {
      client.write(`{"command":"ping","id":1,"values":${values}}\n`);
      const message = 'a message has more values than maxMessageValues, 25000';
      expect(await client.next()).to.deep.equal({ error: { status: 'limit', message } });
    }
    await client.settle();
    expect(await client.ask('stats')).to.include({ invalidRequests: 2, failedRequests: 0 });
  });

  it('are invalid when nested very deep, and the connection stays open', async () => {
    const client = await server.connect();
    const deep = `${'['.repeat(9_000)}${']'.repeat(9_000)}`;
    for (const [message, status] of [
      [`{"command":${deep},"id":1}`, 'error.status'],
      [`{"command":"lock","parameters":{"lockName":${deep}},"id":1}`, 'result.status'],
      [`{"command":"ping","id":${deep}}`, 'error.status'],
      [deep, 'error.status'],
    ] as const) {
      client.write(`${message}\n`);
      expect(await client.next()).to.have.nested.property(status, 'invalid');
    }
    await client.settle();
    expect(await client.ask('stats')).to.include({ holders: 0, failedRequests: 0 });
  });

  it('keep the bytes of names that are not UTF-8', async () => {
    const client = await server.connect();
    const before = '{"command":"lock","parameters":{"lockName":"';
    client.write(Buffer.concat([Buffer.from(before), Buffer.of(0x61, 0xff, 0xc3, 0x28), Buffer.from('"},"id":1}\n')]));
    expect(await client.next()).to.deep.include({ id: 1 });
    expect(await client.ask('inspect', { lockName: 'a\udcff\udcc3(' })).to.include({ holderCount: 1 });
  });

  it('are carried out in order, 10,000 in one packet, even if the client leaves at once', async () => {
    const [client, bystander] = await server.connectTwo();
    const messages = numbered(10_000).map((lockName, id) => ({ command: 'lock', parameters: { lockName }, id }));
    client.send(...messages);
    client.socket.end();
    for (const { id } of messages) expect(await client.next()).to.deep.equal({ id, result: granted(id + 1) });
    await client.closed;
    // Its locks are freed in slices.
    await until(async () => (await bystander.ask('stats')).holders === 0);
    expect(await bystander.ask('stats')).to.include({ locks: 0, grants: 10_000, orphans: 10_000 });
  });
});
