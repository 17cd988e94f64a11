import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { needs, SystemProgram } from '../foreign/system-program.ts';
import { endTest, makeFolder } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { refusalsOf } from '../support/refusals.ts';

const MAX_OPEN_FILES = 128;
const CONNECTIONS = 100;

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly maxConnections?: number;
}

describe('a server that may open few files', () => {
  beforeEach(function () {
    needs(this, 'sh');
    if (process.platform === 'linux') return;
    console.log('      skipped: only Linux tells the limit');
    this.skip();
  });
  afterEach(endTest);

  /** Starts a server; the lines of its log and of its standard output come together. */
  function start(settings: object): SystemProgram {
    const config = join(makeFolder(), 'settings.json');
    writeFileSync(config, JSON.stringify({ port: 'auto', ...settings }));
    const command = `ulimit -n ${MAX_OPEN_FILES}; exec "${process.execPath}" bin/server.js --config "${config}" 2>&1`;
    return new SystemProgram('sh', ['-c', command]);
  }

  async function nextLogLine(server: SystemProgram): Promise<LogLine> {
    return JSON.parse(await server.nextLine()) as LogLine;
  }

  /** The line of the log, and the port of the other line; either comes first. */
  async function startLines(server: SystemProgram): Promise<{ readonly line: LogLine; readonly port: number }> {
    const [log = '', listens = ''] = [await server.nextLine(), await server.nextLine()].sort().reverse();
    return { line: JSON.parse(log) as LogLine, port: portIn(listens) };
  }

  it('says at its start by how much it lowers maxConnections, and why', async () => {
    const { line } = await startLines(start({}));
    expect(line.level).to.equal(40);
    expect(line.maxConnections).to.be.within(10, 104);
    expect(line.msg).to.equal(
      `limits.maxConnections is lowered from 20000 to ${line.maxConnections}, since this process may have 128 files open; ` +
        'raise the limit of open files (ulimit -n, or LimitNOFILE of systemd), or lower limits.maxConnections',
    );
  });

  it('refuses connections itself, counts and logs them, and takes new ones when others have gone', async () => {
    const server = start({});
    const { line, port } = await startLines(server);
    const { maxConnections = 0 } = line;
    const clients: RawClient[] = [];
    for (let count = 0; count < CONNECTIONS; count += 1) {
      const client = await RawClient.connect(port);
      if (count < maxConnections) expect(await client.ask('ping')).to.deep.equal({ status: 'ok' });
      else await client.closed;
      clients.push(client);
    }
    const refusal = await nextLogLine(server);
    expect(refusal.msg).to.include(`as many connections already as maxConnections, ${maxConnections}`);
    expect(refusal.msg).to.include('the limit of open files');
    const stats = await (clients[0] as RawClient).ask('stats');
    expect(stats).to.include({ openConnections: maxConnections });
    expect(refusalsOf(stats)).to.deep.equal({ maxConnections: CONNECTIONS - maxConnections });
    await (clients[1] as RawClient).leave();
    let answer: unknown;
    // The server may notice the end of this connection a little later than the client.
    while (answer === undefined) answer = await (await RawClient.connect(port)).ask('ping').catch(() => undefined);
    expect(answer).to.deep.equal({ status: 'ok' });
  });

  it('says nothing where maxConnections is below that', async () => {
    const server = start({ limits: { maxConnections: 10 } });
    expect(portIn(await server.nextLine())).to.be.greaterThan(0);
  });
});

function portIn(startLine: string): number {
  return Number(/ listens on \S+:(\d+), /.exec(startLine)?.[1]);
}
