/**
 * The floor to compare the lock server with: a server without locks. It parses each line as JSON and answers with its id and a
 * fixed text; with the argument `frames` it answers each chunk with a fixed frame. It sends its port to the parent process.
 */

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

const RESULT = '"result":{"status":"ok"}}';

function answerLines(socket: Socket): void {
  let incomplete = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    const text = incomplete + chunk;
    let replies = '';
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      const message = JSON.parse(text.slice(start, end)) as { readonly id: number };
      replies += `{"id":${message.id},${RESULT}\n`;
      start = end + 1;
    }
    incomplete = text.slice(start);
    if (replies !== '') socket.write(replies, 'latin1');
  });
}

function answerFrames(socket: Socket): void {
  const body = `{"id":1,${RESULT}`;
  const reply = Buffer.alloc(4 + body.length);
  reply.writeUInt32BE(body.length);
  reply.write(body, 4, 'latin1');
  socket.on('data', () => socket.write(reply));
}

const answer = process.argv.includes('frames') ? answerFrames : answerLines;
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  answer(socket);
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 });
await once(server, 'listening');
process.send?.((server.address() as AddressInfo).port);
process.once('disconnect', () => process.exit());
