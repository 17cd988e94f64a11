import { expect } from 'chai';
import type { LockServerLimits } from '../../lib/server/lock-server-limits.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { LineClient } from '../foreign/line-client.ts';
import { endTest } from '../server/clean-up.ts';
import { Inbox } from '../server/inbox.ts';
import { LOOPBACK, listenOnTcp, makeServer, portOf } from '../server/running-server.ts';
import { connectFrames } from './peers.ts';

const LINES_ONLY = { protocols: ['line'] } as const;

describe('the line protocol in frames', () => {
  afterEach(endTest);

  async function connect(limits: Partial<LockServerLimits> = {}): Promise<{ ask(command: string): Promise<string> }> {
    const listener = webSocket({ ...LOOPBACK, origins: [], hosts: [], maxMessageBytes: 65_536 });
    const port = portOf(await makeServer({ limits }).listen(listener, LINES_ONLY));
    const { webSocket: socket } = await connectFrames(`ws://127.0.0.1:${port}`);
    const frames = new Inbox<string>();
    socket.on('message', (data) => frames.push(String(data)));
    const ask = (command: string): Promise<string> => {
      socket.send(command);
      return frames.next();
    };
    return { ask };
  }

  it('answers each command with a frame that ends in a newline, as on TCP', async () => {
    const { ask } = await connect();
    expect(await ask('g jobs')).to.equal('1 Lock Get Success: jobs\n');
    expect(await ask('d')).to.match(/^jobs: 127\.0\.0\.1:\d+\n$/);
    expect(await ask('q')).to.match(/^command_d: 1\n.*\n$/s);
  });

  it('answers with one frame even if the reply is long and sent in pieces', async () => {
    const { ask } = await connect({ maxPageEntries: 1 });
    const names = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(50_000));
    for (const name of names) await ask(`g ${name}`);
    const lines = (await ask('d')).split('\n');
    expect(lines.map((line) => line.split(': ')[0])).to.deep.equal([...names, '']);
    expect(await ask('sd')).to.equal('');
    expect(await ask('i d')).to.equal('0 Lock Not Locked: d\n');
  });

  it('answers with an empty frame if the reply is empty', async () => {
    const { ask } = await connect();
    for (const command of ['d', 'sd', 'd nobody', 'who', 'who nobody', 'nonsense', 'G jobs', '', '  ']) {
      expect(await ask(command), command).to.equal('');
    }
    expect(await ask('i jobs')).to.equal('0 Lock Not Locked: jobs\n');
  });
});

describe('a port where only lines are served', () => {
  afterEach(endTest);

  for (const first of ['G jobs', '', '   ', '?', '123']) {
    it(`counts ${JSON.stringify(first)} as an invalid command when it is the first line`, async () => {
      const client = await LineClient.connect(await listenOnTcp(makeServer(), LINES_ONLY));
      client.send(first);
      const answer = await client.ask('i jobs');
      expect(answer).to.equal('0 Lock Not Locked: jobs');
      expect(await client.statistics()).to.include({ invalid_commands: 1 });
    });
  }
});
