import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { SystemProgram } from '../foreign/system-program.ts';
import { endTest } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { freePort } from '../support/free-port.ts';

const RETRY_MS = 20;

interface LogLine {
  readonly msg: string;
  readonly line: string;
  readonly why: string;
}

describe('a server that cannot print where it listens', () => {
  afterEach(endTest);

  it('serves, and logs the line, when standard output is full', async () => {
    await servesAndLogs((command) => `${command} 2>&1 >/dev/full`, 'ENOSPC');
  });

  it('serves, and logs the line, even if nobody reads its standard output', async () => {
    await servesAndLogs((command) => `{ ${command} 2>&3 | true; } 3>&1`, 'EPIPE');
  });

  it('serves when standard output is closed', async () => {
    const port = await freePort();
    start(port, (command) => `${command} >&-`);
    for (;;) {
      // Nothing else tells that it listens. Connecting without a pause would take the processor from it.
      await delay(RETRY_MS);
      const client = await RawClient.connect(port).catch((error: NodeJS.ErrnoException) => error);
      if (client instanceof RawClient) return expect(await client.ask('ping')).to.deep.equal({ status: 'ok' });
      expect(client).to.include({ code: 'ECONNREFUSED' });
    }
  });

  it('serves when its log is full', async () => {
    const server = start('auto', (command) => `${command} --verbose 2>/dev/full`);
    const port = Number(/ on \S+:(\d+), /.exec(await server.nextLine())?.[1]);
    // Each is logged when it comes.
    for (let count = 0; count < 20; count += 1) {
      expect(await (await RawClient.connect(port)).ask('ping')).to.deep.equal({ status: 'ok' });
    }
  });

  /** Runs the program in a shell; `redirect` is given the command and adds where its output goes. */
  function start(port: number | 'auto', redirect: (command: string) => string): SystemProgram {
    return new SystemProgram('sh', ['-c', redirect(`"${process.execPath}" bin/server.js --port ${port}`)]);
  }

  async function servesAndLogs(redirect: (command: string) => string, why: string): Promise<void> {
    const server = start('auto', redirect);
    let logged = JSON.parse(await server.nextLine()) as LogLine;
    // Depending on the system, the first line is about open files.
    if (logged.msg.includes('open files')) logged = JSON.parse(await server.nextLine()) as LogLine;
    expect(logged.msg).to.equal('the line that tells where the server listens could not be printed');
    expect(logged.why).to.include(why);
    const port = Number(/ on \S+:(\d+), /.exec(logged.line)?.[1]);
    expect(await (await RawClient.connect(port)).ask('ping')).to.deep.equal({ status: 'ok' });
  }
});
