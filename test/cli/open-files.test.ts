import { expect } from 'chai';
import { countOpenFiles, fitToOpenFiles } from '../../lib/cli/open-files.ts';
import { DEFAULT_LOCK_SERVER_LIMITS } from '../../lib/server/lock-server-limits.ts';
import { needs, SystemProgram } from '../foreign/system-program.ts';
import { endTest } from '../server/clean-up.ts';
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
  function start(): SystemProgram {
    const command = `ulimit -n ${MAX_OPEN_FILES}; exec "${process.execPath}" bin/server.js --port auto 2>&1`;
    return new SystemProgram('sh', ['-c', command]);
  }

  it('says by how much it lowers maxConnections and why, refuses and counts further connections, and takes new ones when others have gone', async () => {
    const server = start();
    // Either comes first.
    const [log = '', listens = ''] = [await server.nextLine(), await server.nextLine()].sort().reverse();
    const port = Number(/ listens on \S+:(\d+), /.exec(listens)?.[1]);
    const { level, msg, maxConnections = 0 } = JSON.parse(log) as LogLine;
    expect(level).to.equal(40);
    expect(maxConnections).to.be.within(10, 104);
    expect(msg).to.equal(
      `limits.maxConnections is lowered from 20000 to ${maxConnections}, since this process may have 128 files open; ` +
        'raise the limit of open files (ulimit -n, or LimitNOFILE of systemd), or lower limits.maxConnections',
    );
    const clients: RawClient[] = [];
    for (let count = 0; count < CONNECTIONS; count += 1) {
      const client = await RawClient.connect(port);
      if (count < maxConnections) expect(await client.ask('ping')).to.deep.equal({ status: 'ok' });
      else await client.closed;
      clients.push(client);
    }
    const refusal = JSON.parse(await server.nextLine()) as LogLine;
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

  it('takes half as many connections where each may be forwarded', () => {
    const limits = { ...DEFAULT_LOCK_SERVER_LIMITS, maxConnections: 1e9 };
    const [alone, forwarding] = [1, 2].map(
      (files) => fitToOpenFiles(limits, countOpenFiles(1, files)).limits.maxConnections,
    );
    expect(forwarding).to.equal(Math.floor((alone as number) / 2));
  });

  it('lowers and says nothing where maxConnections is below that', () => {
    const limits = { ...DEFAULT_LOCK_SERVER_LIMITS, maxConnections: 10 };
    expect(fitToOpenFiles(limits, countOpenFiles(1))).to.deep.equal({ limits });
  });
});
