/**
 * An unhandled rejection ends a process of Node, but mocha swallows it. This file makes it fail the running test, in all
 * files of the run.
 */

process.on('unhandledRejection', (reason) => {
  throw reason;
});
