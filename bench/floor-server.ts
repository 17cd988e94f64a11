/**
 * The floor that the lock server is measured against: splits its input into lines, parses each as JSON, answers each with
 * its id and always the same text, and keeps no locks. Runs in a process of its own and tells its port.
 */

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

const server = createServer({ noDelay: true }, (socket) => {
  let incomplete = '';
  socket.setEncoding('latin1');
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: string) => {
    const text = incomplete + chunk;
    let replies = '';
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      const message = JSON.parse(text.slice(start, end)) as { readonly id: number };
      replies += `{"id":${message.id},"result":{"status":"ok"}}\n`;
      start = end + 1;
    }
    incomplete = text.slice(start);
    if (replies !== '') socket.write(replies, 'latin1');
  });
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 });
await once(server, 'listening');
process.send?.((server.address() as AddressInfo).port);
process.once('disconnect', () => process.exit());
