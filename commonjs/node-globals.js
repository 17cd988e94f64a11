// What the CommonJS build takes from Node's modules instead of the global names: Jest's jsdom environment has none of these.
export { setImmediate } from 'node:timers';
export { TextDecoder, TextEncoder } from 'node:util';
