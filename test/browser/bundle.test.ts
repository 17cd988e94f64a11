import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { rejection } from '../support/rejection.ts';
import { bundlePage, type PageBundle } from './page-bundle.ts';

/** The greatest size of the whole client, minified and compressed. */
const MAX_BYTES = 21_500;

const script = (from: string): string => `
  import { LockClient } from '${from}';
  new LockClient({ url: 'ws://127.0.0.1:20934' }).locked('jobs', ({ token }) => console.log(token));
`;

/** The files of a bundle and all that they import. */
function pathsOf({ inputs }: PageBundle): string[] {
  return Object.entries(inputs).flatMap(([path, { imports }]) => [path, ...imports.map((each) => each.path)]);
}

describe('holdfast/browser in a bundle', () => {
  it('imports nothing of Node, and of other packages only eventemitter3', async () => {
    const paths = pathsOf(await bundlePage(script('holdfast/browser')));
    expect(paths).to.include.members(['dist/lib/browser.js', 'dist/lib/transports/dial-web-socket.js']);
    for (const path of paths) expect(path).to.match(/^(page\.ts|dist\/lib\/.*\.js|node_modules\/eventemitter3\/.*)$/);
  });

  it('uses none of the globals of Node', async () => {
    const { code } = await bundlePage(script('holdfast/browser'), { minify: true });
    expect(code).to.match(/\bWebSocket\b/);
    expect(code.match(/\b(Buffer|process|setImmediate|__dirname|__filename)\b/g)).to.equal(null);
  });

  it('is the entry that a bundler for browsers uses for holdfast itself', async () => {
    const [own, general] = [await bundlePage(script('holdfast/browser')), await bundlePage(script('holdfast'))];
    expect(Object.keys(general.inputs)).to.have.members(Object.keys(own.inputs));
  });

  it(`has less than ${MAX_BYTES} bytes, minified and compressed`, async () => {
    const everything = `export * from 'holdfast/browser';`;
    const { code } = await bundlePage(everything, { minify: true, globalName: 'holdfast' });
    const size = gzipSync(code, { level: 9 }).length;
    expect(size).to.be.lessThan(MAX_BYTES);
  });

  it('cannot be built from the entry for Node', async () => {
    const error = await rejection(bundlePage("import { LockServer } from './dist/lib/index.js'; new LockServer();"));
    expect(String(error)).to.match(/Could not resolve "node:/);
  });
});
