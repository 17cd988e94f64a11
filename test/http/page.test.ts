import { expect } from 'chai';
import { Browser } from '../foreign/browser.ts';
import { needs } from '../foreign/system-program.ts';
import { endTest } from '../server/clean-up.ts';
import { MonitoredServer } from './monitored-server.ts';

/** An expression that waits until the page shows a text, and then has what `then` says. */
function once(text: string, then: string): string {
  return `(async () => {
    const errors = [];
    window.addEventListener('securitypolicyviolation', ({ violatedDirective }) => errors.push(violatedDirective));
    const main = document.querySelector('#main');
    const until = async (text) => {
      while (!main.innerText.includes(text)) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await until(${JSON.stringify(text)});
    return ${then};
  })()`;
}

/** The address of a view. */
function view(kind: string, text: unknown): string {
  return `#/${kind}/${encodeURIComponent(JSON.stringify(text))}`;
}

describe('the status page in Chromium', function () {
  this.timeout(60_000);
  before(function () {
    needs(this, 'chromium');
  });
  afterEach(endTest);

  it('shows who blocks whom, plots, a lock with its history, a client, and what a search finds', async () => {
    const server = await MonitoredServer.start();
    const [first, second, third] = await server.running.connectThree();
    const markup = '<img src=x onerror="window.isRun=true">';
    await third.take('stock');
    await third.ask('unlock', { lockName: 'stock' });
    await third.take(markup);
    await first.take('report', { owner: 'a' });
    await second.take('stock', { owner: 'b' });
    await second.queue(7, 'report', { owner: 'b' });
    await third.queue(8, 'stock', { owner: 'c' });
    const browser = new Browser('about:blank');

    const shown = `[
      document.querySelector('#state').textContent.startsWith('ready'),
      document.querySelectorAll('.tree > ul > li').length,
      document.querySelector('.tree li li li').innerText,
      document.querySelectorAll('canvas').length,
      document.querySelectorAll('img').length + (window.isRun ? 1 : 0),
      errors.join(),
    ]`;
    const tree = (await browser.evaluate(
      server.url,
      once(
        'Longest holds',
        `(await until('The last hour'), await new Promise((resolve) => setTimeout(function look() {
        if (document.querySelector('canvas') && document.querySelector('.tree')) resolve(); else setTimeout(look, 20);
      })), ${shown})`,
      ),
    )) as readonly unknown[];
    expect(tree[2]).to.match(/^stock blocks 1\nheld by b .*, waits for report\s*\nc .* waits /);
    expect([tree[0], tree[1], tree[3], tree[4], tree[5]]).to.deep.equal([true, 1, 4, 0, '']);

    const lock = await browser.evaluate(server.url + view('lock', 'stock'), once('released', `main.innerText`));
    expect(lock)
      .to.match(/^Lock stock\n/)
      .and.match(/Holders 1\n/)
      .and.match(/Waiters 1\n/)
      .and.match(/held .* released/);
    const odd = await browser.evaluate(
      server.url + view('lock', markup),
      once('Holders', '[document.title, main.querySelectorAll("img").length, window.isRun === true]'),
    );
    expect(odd).to.deep.equal([`${markup} - holdfast`, 0, false]);
    const hidden = await browser.evaluate(
      server.url + view('lock', 'a\u202eb\u0085\u{e0041}\n'),
      once('Holders', 'main.querySelector("h1").textContent'),
    );
    expect(hidden).to.equal(String.raw`Lock "a\u202eb\u0085\udb40\udc41\n"`);

    const byKeys = await browser.evaluate(
      server.url,
      once(
        'Longest holds',
        `(
          document.dispatchEvent(new KeyboardEvent('keydown', { key: '/' })),
          document.activeElement.value = 're',
          document.activeElement.form.requestSubmit(),
          await until('Locks that begin with re'),
          main.querySelector('a').focus(),
          document.activeElement.click(),
          await until('Lock report'),
          [location.hash, document.title]
        )`,
      ),
    );
    expect(byKeys).to.deep.equal([view('lock', 'report'), 'report - holdfast']);
    await third.leave();
  });
});
