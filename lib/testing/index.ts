/// <reference lib="esnext.disposable" preserve="true" />
/// <reference types="node" preserve="true" />
/** `holdfast/testing`: what a program that uses locks needs for its own tests. No test framework is needed, or preferred. */

export type { TestClock } from './test-clock.ts';
export { startTestServer, type TestClientOptions, TestServer, type TestServerOptions } from './test-server.ts';
