/// <reference lib="esnext.disposable" preserve="true" />
/// <reference types="node" preserve="true" />
/** `holdfast/testing`: the tools for testing a program that uses locks, with any test framework or none. */

export type { TestClock } from './test-clock.ts';
export { startTestServer, type TestClientOptions, TestServer, type TestServerOptions } from './test-server.ts';
