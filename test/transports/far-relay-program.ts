/** Listens on a Unix socket or a port, and relays each connection to a TCP port, byte by byte. */

import { connect, createServer } from 'node:net';

const [place = '', host = '', port = ''] = process.argv.slice(2);

const server = createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true });
  near.pipe(far).pipe(near);
  near.on('error', () => far.destroy());
  far.on('error', () => near.destroy());
});
server.listen(place, () => console.log('ready'));
