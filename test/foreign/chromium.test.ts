import { expect } from 'chai';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { Browser, PageServer } from './browser.ts';
import { LineClient } from './line-client.ts';
import { startListening } from './listening-program.ts';
import { needs } from './system-program.ts';

/** Takes the lock `jobs` at the server that stands behind the `#` of the page's address. */
const SCRIPT = `
  const socket = new WebSocket('ws://' + location.hash.slice(1));
  socket.onopen = () => socket.send(JSON.stringify({ command: 'lock', parameters: { lockName: 'jobs' }, id: 1 }));
  socket.onmessage = ({ data }) => report('got ' + typeof data + ' ' + data);
  socket.onerror = ({ type }) => report(type);
`;

const GRANTED = /^got string \{"id":1,"result":\{"status":"ok","token":\d+,"count":1\}\}$/;

describe('a page in Chromium', () => {
  let page: PageServer;

  before(function () {
    needs(this, 'chromium');
  });
  beforeEach(async function () {
    this.timeout(60_000);
    page = await PageServer.start(SCRIPT);
  });
  afterEach(endTest);

  it('holds the lock that it took over WebSocket until it is closed', async function () {
    this.timeout(60_000);
    const { line, browser } = await openPage('--origin', page.origin);
    expect(await page.nextReport()).to.match(GRANTED);
    expect(await line.ask('g jobs')).to.equal('0 Lock Get Failure: jobs');
    await browser.closePage();
    await until(async () => (await line.ask('i jobs')) === '0 Lock Not Locked: jobs');
    expect(await line.ask('g jobs')).to.equal('1 Lock Get Success: jobs');
    expect(await line.statistics()).to.include({ orphans: 1, connections: 1 });
    expect(await browser.isRunning()).to.equal(true);
  });

  it('loses the lock when the browser is killed', async function () {
    this.timeout(60_000);
    const { line, browser } = await openPage('--origin', page.origin);
    expect(await page.nextReport()).to.match(GRANTED);
    await browser.kill();
    await until(async () => (await line.ask('g jobs')) === '1 Lock Get Success: jobs');
  });

  it('cannot connect when its origin is not listed', async function () {
    this.timeout(60_000);
    const { line } = await openPage('--origin', 'https://elsewhere.example');
    expect(await page.nextReport()).to.equal('error');
    expect(await line.ask('i jobs')).to.equal('0 Lock Not Locked: jobs');
    expect(await line.statistics()).to.include({ connections: 1, orphans: 0 });
  });

  it('cannot connect when no origin is listed', async function () {
    this.timeout(60_000);
    const { line } = await openPage();
    expect(await page.nextReport()).to.equal('error');
    expect(await line.ask('i jobs')).to.equal('0 Lock Not Locked: jobs');
  });

  it('cannot make a request of HTTP that reaches a command', async function () {
    this.timeout(60_000);
    const { line, ports } = await startLine();
    const attempts = await PageServer.start(`
      (async () => {
        for (const port of location.hash.slice(1).split(','))
          for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'lock', 'g'])
            await fetch('http://127.0.0.1:' + port + '/', {
              method, mode: 'POST GET'.includes(method) ? 'no-cors' : 'cors',
              ...(method === 'GET' ? {} : { body: 'g jobs\\n{"command":"lock","parameters":{"lockName":"jobs"},"id":1}\\n' }),
            }).catch(() => {});
        report('tried');
      })();
    `);
    new Browser(`${attempts.origin}/#${ports.join()}`);
    expect(await attempts.nextReport()).to.equal('tried');
    expect(await line.statistics()).to.include({ command_g: 0, locks: 0, orphans: 0 });
  });

  async function startLine(...options: readonly string[]) {
    const { ports } = await startListening('bin/server.js', '--port', 'auto', '--ws', 'auto', ...options);
    return { ports, line: await LineClient.connect(ports[0] as number) };
  }

  async function openPage(...options: readonly string[]) {
    const { ports, line } = await startLine(...options);
    return { line, browser: new Browser(`${page.origin}/#127.0.0.1:${ports[1]}`) };
  }
});
