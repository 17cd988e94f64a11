import { expect } from 'chai';
import { tcp } from '../../lib/transports/tcp.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { LOOPBACK, makeServer, portOf } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
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
  let browser: Browser;

  // One browser for all tests, since its start takes longer than they do.
  before(async function () {
    needs(this, 'chromium');
    page = await PageServer.start(SCRIPT);
    browser = new Browser('about:blank');
  });
  after(endTest);

  it('holds a lock over WebSocket until it is closed', async () => {
    const { line } = await openPage([page.origin]);
    expect(await page.nextReport()).to.match(GRANTED);
    expect(await line.ask('g jobs')).to.equal('0 Lock Get Failure: jobs');
    await browser.closePage();
    await until(async () => (await line.ask('i jobs')) === '0 Lock Not Locked: jobs');
    expect(await line.ask('g jobs')).to.equal('1 Lock Get Success: jobs');
    expect(await line.statistics()).to.include({ orphans: 1, connections: 1 });
    expect(await browser.isRunning()).to.equal(true);
  });

  it('cannot connect when its origin is not listed', async () => {
    for (const origins of [['https://elsewhere.example'], []]) {
      const { line } = await openPage(origins);
      expect(await page.nextReport()).to.equal('error');
      expect(await line.ask('i jobs')).to.equal('0 Lock Not Locked: jobs');
      expect(await line.statistics()).to.include({ connections: 1, orphans: 0 });
    }
  });

  it("can connect when its origin is the server's own, called by an address or localhost", async () => {
    const { line, webSocketPort } = await startServer({});
    for (const host of [`127.0.0.1:${webSocketPort}`, `localhost:${webSocketPort}`]) {
      expect(await browser.evaluate(`http://${host}/`, TRY), host).to.equal('0 Lock Not Locked: jobs');
    }
    expect(await line.statistics()).to.include({ command_i: 2 });
  });

  it('cannot connect when its name was pointed to the server, unless the name is listed', async () => {
    const { line, webSocketPort, logger } = await startServer({ hosts: ['locks.example'] });
    expect(await browser.evaluate(`http://rebound.example:${webSocketPort}/`, TRY)).to.equal('error');
    expect(await line.statistics()).to.include({ command_i: 0 });
    expect(logger.warnings.join('\n')).to.include('add "rebound.example" to "hosts"');
    expect(await browser.evaluate(`http://locks.example:${webSocketPort}/`, TRY)).to.equal('0 Lock Not Locked: jobs');
  });

  it('cannot connect from a frame that has no origin', async () => {
    const { line, webSocketPort, logger } = await startServer({});
    const url = `127.0.0.1:${webSocketPort}`;
    const inFrame = `${TRY.replace('location.host', `'${url}'`)}.then((told) => parent.postMessage(told, '*'))`;
    const tried = await browser.evaluate(
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
    expect(logger.warnings.join('\n')).to.include('the Origin of its handshake is "null", which cannot be allowed');
    expect(await line.statistics()).to.include({ command_i: 0 });
  });

  it('cannot make an HTTP request that reaches a command', async () => {
    const { line, port, webSocketPort } = await startServer({});
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
    await browser.openPage(`${attempts.origin}/#${port},${webSocketPort}`);
    expect(await attempts.nextReport()).to.equal('tried');
    expect(await line.statistics()).to.include({ command_g: 0, locks: 0, orphans: 0 });
  });

  it('loses the lock when the browser is killed', async () => {
    const { line } = await openPage([page.origin]);
    expect(await page.nextReport()).to.match(GRANTED);
    await browser.kill();
    await until(async () => (await line.ask('g jobs')) === '1 Lock Get Success: jobs');
  });

  async function startServer({ origins = [], hosts = [] }: { origins?: readonly string[]; hosts?: readonly string[] }) {
    const logger = new RecordingLogger();
    const server = makeServer({ logger });
    const port = portOf(await server.listen(tcp(LOOPBACK)));
    const listener = webSocket({ ...LOOPBACK, origins, hosts, maxMessageBytes: 1_000 });
    const webSocketPort = portOf(await server.listen(listener, { protocols: ['ndjson', 'line'] }));
    return { logger, port, webSocketPort, line: await LineClient.connect(port) };
  }

  async function openPage(origins: readonly string[]) {
    const started = await startServer({ origins });
    await browser.openPage(`${page.origin}/#127.0.0.1:${started.webSocketPort}`);
    return started;
  }
});
