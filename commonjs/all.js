// What dist/commonjs.cjs is built from: all entry points in one script, so that they share their classes.
export * as browser from '../lib/browser.ts';
export * as datastores from '../lib/datastores/index.ts';
export * as index from '../lib/index.ts';
export * as testing from '../lib/testing/index.ts';
