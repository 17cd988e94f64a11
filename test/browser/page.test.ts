import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { DelayingProxy } from '../client/delaying-proxy.ts';
import { Browser, PageServer } from '../foreign/browser.ts';
import { needs } from '../foreign/system-program.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { startListening } from '../server/running-program.ts';
import { freePort } from '../support/free-port.ts';
import { bundlePage } from './page-bundle.ts';

/** The beginning of every script. The address of the page ends with the WebSocket port and the name of the page. */
const BEGINNING = `
  import { LockClient, LockError, LockLostError, LockTimeoutError } from 'holdfast/browser';
  declare function report(text: unknown): Promise<unknown>;
  const [port, name] = location.hash.slice(1).split(',') as [string, string];
  const url = 'ws://127.0.0.1:' + port;
  run().catch((error) => report('failed: ' + error));
`;

/** Starts a server of pages with this script, whose function `run` does the work. */
async function servePage(script: string): Promise<PageServer> {
  return await PageServer.start((await bundlePage(BEGINNING + script)).code);
}

/** A server that pages of that origin may use, and a client of it in this process. */
async function startServer(origin: string, webSocketPort = 'auto') {
  const options = ['--port', 'auto', '--ws', webSocketPort, '--origin', origin];
  const { program, ports } = await startListening('bin/server.js', ...options);
  const client = await LockClient.connect({ port: ports[0] as number });
  whenTestEnds(() => client.close());
  return { program, client, webSocketPort: String(ports[1]) };
}

describe('the client in a page in Chromium', function () {
  this.timeout(60_000);
  before(function () {
    needs(this, 'chromium');
  });
  afterEach(endTest);

  it('takes a lock, tries one, waits for one and runs a function under one', async () => {
    const page = await servePage(`
      async function run() {
        const client = await LockClient.connect({ url, name: 'page ☃' });
        const free = await client.lock('free');
        await report([free.name, free.mode, free.token > 0, free.count, client.state].join());
        await report(await client.tryLock('held'));
        const early = await client.lock('held', { waitMs: 10 }).catch((error) => error);
        await report([early instanceof LockTimeoutError, early instanceof LockError, early.code].join());
        const late = await client.lock('held');
        await report(late.token > free.token);
        await report(await client.locked('third', async (handle) => handle.name + (await client.inspect('third')).holders[0].name));
        const thrown = new Error('thrown');
        await report(thrown === (await client.locked('third', () => { throw thrown; }).catch((error) => error)));
        await report([await late.release(), await free.release(), late.signal.aborted].join());
        await client.close();
        await report(client.state);
      }
    `);
    const { client, webSocketPort } = await startServer(page.origin);
    const held = await client.lock('held');
    new Browser(`${page.origin}/#${webSocketPort},a`);
    expect(await page.nextReport()).to.equal('free,exclusive,true,1,connected');
    expect(await page.nextReport()).to.equal('null');
    expect(await page.nextReport()).to.equal('true,true,timeout');
    await until(async () => (await client.inspect('held')).waiterCount === 1);
    expect((await client.inspect('held')).waiters[0]?.name).to.equal('page ☃');
    await held.release();
    expect(await page.nextReport()).to.equal('true');
    expect(await page.nextReport()).to.equal('thirdpage ☃');
    expect(await page.nextReport()).to.equal('true');
    expect(await page.nextReport()).to.equal('true,true,false');
    expect(await page.nextReport()).to.equal('closed');
    await until(async () => (await client.stats()).sessions === 1);
  });

  it('loses its locks when the server is killed, and goes on with the next server', async () => {
    const page = await servePage(`
      async function run() {
        const client = await LockClient.connect({ url, session: false, reconnect: { minDelayMs: 10, maxDelayMs: 100 } });
        const events = [];
        for (const event of ['connect', 'disconnect'] as const) client.on(event, () => events.push(event));
        const handle = await client.lock('jobs');
        handle.signal.addEventListener('abort', () => report(
          [handle.signal.reason instanceof LockLostError, handle.signal.reason.code, handle.isHeld].join()
        ));
        const value = client.locked('other', async (other) => {
          await report('holding');
          await new Promise((resolve) => other.signal.addEventListener('abort', resolve));
          return 42;
        });
        const loss = await value.catch((error) => error);
        const waiting = client.lock('jobs');
        await report([loss instanceof LockLostError, loss.code, loss.result].join());
        const again = await waiting;
        await report([again.token > handle.token, again.isHeld, handle.isHeld, await handle.release(), ...events].join());
      }
    `);
    const webSocketPort = String(await freePort());
    const { program } = await startServer(page.origin, webSocketPort);
    new Browser(`${page.origin}/#${webSocketPort},a`);
    expect(await page.nextReport()).to.equal('holding');
    await program.kill();
    const reports = [await page.nextReport(), await page.nextReport()];
    expect(reports).to.have.members(['true,connectionLost,false', 'true,connectionLost,42']);
    const { client } = await startServer(page.origin, webSocketPort);
    expect(await page.nextReport()).to.equal('true,true,false,false,disconnect,connect');
    expect((await client.inspect('jobs')).holderCount).to.equal(1);
  });

  it('keeps its lock and its place in a queue when the connection is reset', async () => {
    const page = await servePage(`
      async function run() {
        const client = await LockClient.connect({ url, reconnect: { minDelayMs: 10, maxDelayMs: 100 } });
        const events: string[] = [];
        for (const event of ['connect', 'disconnect', 'suspend', 'resume'] as const) client.on(event, () => events.push(event));
        const handle = await client.lock('jobs');
        const waiting = client.lock('taken');
        await client.rpc('ping');
        const resumed = new Promise<void>((resolve) => client.once('resume', () => resolve()));
        await report(handle.token);
        await resumed;
        await report([handle.isHeld, await handle.confirm(), handle.signal.aborted, ...events].join());
        const granted = await waiting;
        await report([granted.token > handle.token, await granted.release(), await handle.release()].join());
      }
    `);
    const { client, webSocketPort } = await startServer(page.origin);
    const held = await client.lock('taken');
    const proxy = await DelayingProxy.start(Number(webSocketPort));
    new Browser(`${page.origin}/#${proxy.port},a`);
    const token = Number(await page.nextReport());
    const behind = client.lock('taken');
    proxy.reset();
    expect(await page.nextReport()).to.equal('true,true,false,disconnect,suspend,connect,resume');
    expect((await client.inspect('jobs')).holders[0]).to.include({ token });
    await held.release();
    expect(await page.nextReport()).to.equal('true,true,true');
    await behind;
    expect(await client.stats()).to.include({ resumedSessions: 1 });
  });

  it('excludes another page', async () => {
    const rounds = 20;
    const page = await servePage(`
      async function run() {
        const client = await LockClient.connect({ url });
        await client.lock('gate', { mode: 'shared' });
        for (let round = 0; round < ${rounds}; round += 1) {
          await client.locked('jobs', async () => {
            await report(name + ' enters');
            await report(name + ' leaves');
          });
        }
      }
    `);
    const { client, webSocketPort } = await startServer(page.origin);
    const gate = await client.lock('gate');
    const browser = new Browser(`${page.origin}/#${webSocketPort},a`);
    await browser.openPage(`${page.origin}/#${webSocketPort},b`);
    await until(async () => (await client.inspect('gate')).waiterCount === 2);
    await gate.release();
    const turns: string[] = [];
    while (turns.length < 2 * rounds) {
      const [enters, leaves] = [await page.nextReport(), await page.nextReport()];
      const name = enters.charAt(0);
      expect([enters, leaves]).to.deep.equal([`${name} enters`, `${name} leaves`]);
      turns.push(name);
    }
    expect(turns.filter((name) => name === 'a')).to.have.length(rounds);
    // Both asked at the same time, so they took turns.
    expect(turns.join('')).to.include('abab');
  });

  it('behaves like navigator.locks, but across browsers', async () => {
    const page = await servePage(`
      async function use(locks: LockManager): Promise<string> {
        const order: unknown[] = [];
        await locks.request('jobs', async (lock) => {
          await locks.request('jobs', { ifAvailable: true }, (other) => { order.push(other); });
          order.push(lock?.mode, (await locks.query()).held?.some((each) => each.name === 'jobs'));
        });
        const shared = await Promise.all([1, 2].map((each) => locks.request('jobs', { mode: 'shared' }, () => each)));
        const wrong = await locks.request('-jobs', () => 1).catch((error) => [error instanceof DOMException, error.name]);
        return JSON.stringify([order, shared, wrong]);
      }
      async function run() {
        const client = new LockClient({ url });
        await client.locked('taken', async () => {
          const abort = new AbortController();
          const waiting = client.locks.request('taken', { signal: abort.signal }, () => 1).catch((error) => error.name);
          abort.abort();
          await report(await waiting);
        });
        await report(await use(client.locks));
        // Only pages of a secure origin, such as localhost, have it.
        await report(await use(navigator.locks));
      }
    `);
    const { webSocketPort } = await startServer(page.origin);
    new Browser(`${page.origin}/#${webSocketPort},a`);
    expect(await page.nextReport()).to.equal('AbortError');
    const ours = await page.nextReport();
    expect(ours).to.equal('[[null,"exclusive",true],[1,2],[true,"NotSupportedError"]]');
    expect(await page.nextReport()).to.equal(ours);
  });

  it('works in a worker of the page', async () => {
    const worker = await bundlePage(`
      import { LockClient } from 'holdfast/browser';
      onmessage = async ({ data: url }) => {
        const client = new LockClient({ url });
        postMessage(await client.locked('jobs', async () => (await client.inspect('jobs')).holderCount));
      };
    `);
    const page = await servePage(`
      async function run() {
        const source = new Blob([${JSON.stringify(worker.code)}], { type: 'text/javascript' });
        const worker = new Worker(URL.createObjectURL(source));
        worker.onmessage = ({ data }) => report(data);
        worker.postMessage(url);
      }
    `);
    const { webSocketPort } = await startServer(page.origin);
    new Browser(`${page.origin}/#${webSocketPort},a`);
    expect(await page.nextReport()).to.equal('1');
  });

  it('learns when the server or the policy of the page forbids the connection', async () => {
    const page = await servePage(`
      async function run() {
        const connect = (): Promise<unknown> => LockClient.connect({ url }).then((client) => client.state, String);
        await report(await connect());
        const policy = document.createElement('meta');
        policy.httpEquiv = 'Content-Security-Policy';
        policy.content = "connect-src 'self' " + url.replace('127.0.0.1', '127.0.0.2');
        document.head.append(policy);
        await report(await connect());
      }
    `);
    const { webSocketPort } = await startServer(page.origin);
    const other = await startServer('https://elsewhere.example');
    const browser = new Browser(`${page.origin}/#${webSocketPort},listed`);
    const refused = (port: string): RegExp => new RegExp(`^Error: no connection to ws://127.0.0.1:${port}/: `);
    expect(await page.nextReport()).to.equal('connected');
    expect(await page.nextReport()).to.match(refused(webSocketPort));
    await browser.openPage(`${page.origin}/#${other.webSocketPort},not-listed`);
    expect(await page.nextReport()).to.match(refused(other.webSocketPort));
  });
});
