import { expect } from 'chai';
import { endTest } from './clean-up.ts';
import { numbered } from './odd-names.ts';
import { startServer } from './running-server.ts';

describe('listings of very much', () => {
  afterEach(endTest);

  it('let others be served between them, however many are asked for at once', async () => {
    const server = await startServer();
    const [asking, bystander] = await server.connectTwo();
    await asking.takeMany(numbered(5_000));
    const lists = 1_000;
    asking.send(...Array.from({ length: lists }, (_, id) => ({ command: 'list', parameters: { max: 1 }, id })));
    await asking.next();
    expect(await bystander.ask('ping')).to.deep.equal({ status: 'ok' });
    expect(asking.unreadCount).to.be.lessThan(lists - 1);
    for (let index = 1; index < lists; index += 1) await asking.next();
  });

  it('put long names in order that differ only at their ends', async () => {
    const server = await startServer();
    const client = await server.connect();
    const ends = ['\u{1f600}', '\uffff', 'a', '\ud800', '\udc80', '\u{1f601}', ''];
    const names = ends.map((end) => 'x'.repeat(59_000) + end);
    for (const lockName of names) await client.ask('lock', { lockName });
    const listed: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await client.ask('list', { max: 2, ...(after === undefined ? {} : { after }) });
      for (const { lockName } of page.locks as { lockName: string }[]) listed.push(lockName.slice(59_000));
      if (page.next === undefined) break;
      after = page.next as string;
    }
    // By the bytes of their encoded forms: 61, 80, ED.., EF.., F0...
    expect(listed).to.deep.equal(['', 'a', '\udc80', '\ud800', '\uffff', '\u{1f600}', '\u{1f601}']);
  });
});
