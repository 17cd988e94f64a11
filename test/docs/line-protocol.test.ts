import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { DIALECTS, type Dialect } from '../../lib/foreign/line/line-dialects.ts';
import { LineClient } from '../foreign/line-client.ts';
import { endTest } from '../server/clean-up.ts';
import { listenOnTcp, makeServer } from '../server/running-server.ts';

const document = readFileSync('docs/line-protocol.md', 'utf8');
const blocks = [...document.matchAll(/^```line-transcript(?: dialect=(\w+))?\n([\s\S]*?)^```$/gm)];

describe('docs/line-protocol.md', () => {
  afterEach(endTest);

  for (const [index, [, dialect, body = '']] of blocks.entries()) {
    it(`shows what the server answers: example ${index + 1}`, async () => {
      const port = await listenOnTcp(makeServer(), { dialect: (dialect ?? 'glockd') as Dialect });
      await replayLines(body.trimEnd().split('\n'), port, dialect);
    });
  }

  it('has an example of each command', () => {
    const sent = blocks.map(([, , body]) => body).join('');
    for (const word of DIALECTS.glockd.commands) expect(sent).to.match(new RegExp(`^\\w> ${word}( |$)`, 'm'));
  });
});

async function replayLines(lines: readonly string[], port: number, dialect: string | undefined): Promise<void> {
  const clients = new Map<string, LineClient>();
  const withAddresses = (text: string): string =>
    text.replace(/ADDRESS_(\w)/g, (_, name: string) => clients.get(name)?.address ?? name);
  for (const line of lines) {
    const [, name = '', direction, text = ''] = /^(\w)([<>]) (.+)$/.exec(line) ?? [];
    const client = clients.get(name) ?? (await LineClient.connect(port));
    clients.set(name, client);
    if (direction === '>') client.send(text);
    else expect(await client.next()).to.equal(withAddresses(text));
  }
  const notLocked = dialect === 'lockd' ? '0 Not Locked' : '0 Lock Not Locked: nothing more';
  for (const client of clients.values()) expect(await client.ask('i nothing more')).to.equal(notLocked);
}
