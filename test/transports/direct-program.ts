/** Accepts connections, prints how each is used, and echoes its input. */

import { type AddressInfo, createServer } from 'node:net';
import { acceptedStream } from '../../lib/transports/direct-socket.ts';

const server = createServer({ allowHalfOpen: true }, (socket) => {
  const stream = acceptedStream(socket, 'peer');
  stream.start({
    data: (bytes, end) => stream.write(Buffer.from(bytes.subarray(0, end)).toString('latin1'), 'latin1'),
    ended: () => stream.end(),
    closed: () => {},
  });
  // Only a stream has listeners for its data.
  console.log(socket.listenerCount('data') === 0 ? 'directly' : 'as a stream');
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
