import { expect } from 'chai';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { startListening } from '../server/running-program.ts';
import { Browser, PageServer } from './browser.ts';
import { LineClient } from './line-client.ts';
import { needs } from './system-program.ts';

/** Takes the lock `jobs` from the server after the `#` in the page's address. */
const SCRIPT = `
  const socket = new WebSocket('ws://' + location.hash.slice(1));
  socket.onopen = () => socket.send(JSON.stringify({ command: 'lock', parameters: { lockName: 'jobs' }, id: 1 }));
  socket.onmessage = ({ data }) => report('got ' + typeof data + ' ' + data);
  socket.onerror = ({ type }) => report(type);
`;

/** Asks about a lock at the server that the page itself came from. */
const TRY = `new Promise((resolve) => {
  const socket = new WebSocket('ws://' + location.host);
  socket.onopen = () => socket.send('i jobs');
  socket.onmessage = async ({ data }) => resolve((typeof data === 'string' ? data : await data.text()).trim());
  socket.onerror = ({ type }) => resolve(type);
})`;

const GRANTED = /^got string \{"id":1,"result":\{"status":"ok","token":\d+,"count":1\}\}$/;

describe('a page in Chromium', function () {
  this.timeout(60_000);
  let page: PageServer;

  before(function () {
    needs(this, 'chromium');
  });
  beforeEach(async () => {
    page = await PageServer.start(SCRIPT);
  });
  afterEach(endTest);

  it('holds a lock over WebSocket until it is closed', async () => {
    const { line, browser } = await openPage('--origin', page.origin);
    expect(await page.nextReport()).to.match(GRANTED);
    expect(await line.ask('g jobs')).to.equal('0 Lock Get Failure: jobs');
    await browser.closePage();
    await until(async () => (await line.ask('i jobs')) === '0 Lock Not Locked: jobs');
    expect(await line.ask('g jobs')).to.equal('1 Lock Get Success: jobs');
    expect(await line.statistics()).to.include({ orphans: 1, connections: 1 });
    expect(await browser.isRunning()).to.equal(true);
  });

  it('loses the lock when the browser is killed', async () => {
    const { line, browser } = await openPage('--origin', page.origin);
    expect(await page.nextReport()).to.match(GRANTED);
    await browser.kill();
    await until(async () => (await line.ask('g jobs')) === '1 Lock Get Success: jobs');
  });

  it('cannot connect when its origin is not listed', async () => {
    const { line } = await openPage('--origin', 'https://elsewhere.example');
    expect(await page.nextReport()).to.equal('error');
    expect(await line.ask('i jobs')).to.equal('0 Lock Not Locked: jobs');
    expect(await line.statistics()).to.include({ connections: 1, orphans: 0 });
  });

  it('cannot connect when no origin is listed', async () => {
    const { line } = await openPage();
    expect(await page.nextReport()).to.equal('error');
    expect(await line.ask('i jobs')).to.equal('0 Lock Not Locked: jobs');
  });

  it("can connect when its origin is the server's own, called by an address or localhost", async () => {
    const { line, ports } = await startLine();
    const browser = new Browser('about:blank');
    for (const host of [`127.0.0.1:${ports[1]}`, `localhost:${ports[1]}`]) {
      expect(await browser.evaluate(`http://${host}/`, TRY), host).to.equal('0 Lock Not Locked: jobs');
    }
    expect(await line.statistics()).to.include({ command_i: 2 });
  });

  it('cannot connect when its name was pointed to the server, unless the name is listed', async () => {
    const { line, ports, program } = await startLine('--ws-host', 'locks.example');
    const browser = new Browser('about:blank');
    expect(await browser.evaluate(`http://rebound.example:${ports[1]}/`, TRY)).to.equal('error');
    expect(await line.statistics()).to.include({ command_i: 0 });
    let told = '';
    while (!told.includes('add \\"rebound.example\\" to \\"hosts\\"')) told = await program.nextErrorLine();
    expect(JSON.parse(told)).to.include({ reason: 'host', address: '127.0.0.1' });
    expect(await browser.evaluate(`http://locks.example:${ports[1]}/`, TRY)).to.equal('0 Lock Not Locked: jobs');
  });

  it('cannot connect from a frame that has no origin', async () => {
    const { line, ports, program } = await startLine();
    const url = `127.0.0.1:${ports[1]}`;
    const inFrame = `${TRY.replace('location.host', `'${url}'`)}.then((told) => parent.postMessage(told, '*'))`;
    const tried = await new Browser('about:blank').evaluate(
      `http://${url}/`,
      `new Promise((resolve) => {
        const frame = document.createElement('iframe');
        frame.sandbox = 'allow-scripts';
        frame.srcdoc = ${JSON.stringify(`<script>${inFrame}</script>`)};
        addEventListener('message', ({ data }) => resolve(data));
        document.body.append(frame);
      })`,
    );
    expect(tried).to.equal('error');
    let told = '';
    while (!told.includes('"origin"')) told = await program.nextErrorLine();
    expect(JSON.parse(told).msg).to.include('the Origin of its handshake is "null", which cannot be allowed');
    expect(await line.statistics()).to.include({ command_i: 0 });
  });

  it('cannot make an HTTP request that reaches a command', async () => {
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
    const { program, ports } = await startListening('bin/server.js', '--port', 'auto', '--ws', 'auto', ...options);
    return { program, ports, line: await LineClient.connect(ports[0] as number) };
  }

  async function openPage(...options: readonly string[]) {
    const { ports, line } = await startLine(...options);
    return { line, browser: new Browser(`${page.origin}/#127.0.0.1:${ports[1]}`) };
  }
});
