import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { Browser, PageServer } from '../foreign/browser.ts';
import { needs } from '../foreign/system-program.ts';
import { endTest, makeFolder } from '../server/clean-up.ts';
import { startListening } from '../server/running-program.ts';
import { CompiledExamples, readExamples } from './compiled-examples.ts';

const run = promisify(execFile);
const document = readFileSync('docs/browser.md', 'utf8');
const FOLDER = 'dist/browser-page';
const PORT = 9998;
const SERVER_URL = 'wss://locks.example';

/** The only block of the document in that language; `''` is plain text. */
function blockOf(language: string): string {
  const blocks = [...document.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].filter(([, name]) => name === language);
  if (blocks.length !== 1) throw new Error(`the document has ${blocks.length} blocks of ${language || 'plain text'}`);
  return blocks[0]?.[2] as string;
}

describe('docs/browser.md', function () {
  this.timeout(60_000);
  let page: PageServer;
  let server: Awaited<ReturnType<typeof startListening>>;
  let compiled: CompiledExamples;

  /** Starts the server of the document, with that port for WebSocket. */
  function start(port: number | '"auto"' | undefined): ReturnType<typeof startListening> {
    const settings = blockOf('json').replace('https://app.example', page.origin);
    const config = join(makeFolder(), 'settings.json');
    writeFileSync(config, settings.replace(String(PORT), String(port)));
    return startListening('bin/server.js', '--config', config, '--port', 'auto');
  }

  before(async function () {
    needs(this, 'chromium');
    // The page needs the port of the server, and the server the origin of the page.
    let script = '';
    page = await PageServer.start(() => script);
    server = await start('"auto"');
    const url = `ws://127.0.0.1:${server.ports[1]}`;
    const examples = readExamples(document).map((code) => code.replaceAll(SERVER_URL, url));
    compiled = await CompiledExamples.compile(FOLDER, examples, {});
    await run('sh', ['-c', commandFor('example-0.ts')], { cwd: FOLDER });
    script = `
      const policy = document.createElement('meta');
      policy.httpEquiv = 'Content-Security-Policy';
      policy.content = ${JSON.stringify(blockOf('').trim().split(': ')[1]?.replace(SERVER_URL, url))};
      document.head.append(policy);
      console.log = report;
      const program = document.createElement('script');
      program.type = 'module';
      program.textContent = ${JSON.stringify(readFileSync(`${FOLDER}/page.js`, 'utf8'))};
      document.head.append(program);
    `;
  });
  after(async () => {
    compiled?.remove();
    await endTest();
  });

  it('has a client for Node that works', async () => {
    const { stdout, stderr } = await run(process.execPath, [`${FOLDER}/example-1.js`]);
    expect([stdout, stderr]).to.deep.equal(['working on document 18\n', '']);
  });

  it('has a page that works, with its server, its bundle and its policy', async () => {
    const browser = new Browser(`${page.origin}/#a`);
    expect(await page.nextReport()).to.equal('may edit: true');
    await browser.openPage(`${page.origin}/#b`);
    expect(await page.nextReport()).to.equal('read only: Ann edits it');
    await server.program.kill();
    expect([await page.nextReport(), await page.nextReport()]).to.deep.equal(['offline', 'offline']);
    // The next server tells it; without one it would learn of it at its deadline.
    await start(server.ports[1]);
    expect(await page.nextReport()).to.equal('read only: the lock was lost');
  });

  it('has no TypeScript beyond those examples', () => {
    expect(readExamples(document)).to.have.length(2);
  });
});

/** The document's command to bundle the page, with the installed bundler. */
function commandFor(file: string): string {
  return blockOf('sh')
    .trim()
    .replace('npx esbuild', `"${join(process.cwd(), 'node_modules/.bin/esbuild')}"`)
    .replace('page.ts', file);
}
