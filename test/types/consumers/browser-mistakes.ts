/** Mistakes in a page: each line below an expectation is wrong, for the reason that the expectation names. */

// @ts-expect-error TS2305: there are no servers in browsers
import { dialWebSocket, LockClient, LockServer } from 'holdfast/browser';

// @ts-expect-error TS2554: a page has to say where the server is
new LockClient();
// @ts-expect-error TS2741: by a URL
new LockClient({});
// @ts-expect-error TS2353: there are no sockets
new LockClient({ url: 'wss://locks.example', port: 20_934 });
// @ts-expect-error TS2353: nor certificates
await LockClient.connect({ url: 'wss://locks.example', tls: {} });
// @ts-expect-error TS2322: a class, and not a connection
dialWebSocket({ url: 'wss://locks.example', WebSocket: new WebSocket('wss://locks.example') });

const client = new LockClient({ url: 'wss://locks.example' });
// @ts-expect-error TS2345: a limit belongs to a permit
await client.lock('jobs', { limit: 3 });
// @ts-expect-error TS2591: nothing of Node is in reach
export const server: unknown = new LockServer(Buffer.from(''));
// @ts-expect-error TS2322: the Web Locks API has no permits
await client.locks.request('jobs', { mode: 'permit' }, () => {});
// @ts-expect-error TS2345: a callback is needed
await client.locks.request('jobs', {});
