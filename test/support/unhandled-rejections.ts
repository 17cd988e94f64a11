/**
 * A rejection that nobody handles ends a process of Node, but mocha swallows it. Whoever imports this makes it fail the
 * test that is running, in all files of the run.
 */

process.on('unhandledRejection', (reason) => {
  throw reason;
});
