/** Certificates for a server and a client, and connections with them. */

import { connect, type TLSSocket } from 'node:tls';
import { whenTestEnds } from '../server/clean-up.ts';
import { Authority, type Certificate } from '../transports/certificates.ts';

/** Certificates of one authority. */
export interface Certificates {
  readonly authority: Authority;
  readonly server: Certificate;
  readonly client: Certificate;
}

/** Makes an authority, and certificates of it for a server at 127.0.0.1 and a client. */
export function makeCertificates(): Certificates {
  const authority = new Authority();
  return { authority, server: authority.issue('server'), client: authority.issue('client') };
}

/**
 * Connects by TLS to a server of that authority, with a client certificate if there is one. A server that misses one
 * closes the connection only after that.
 */
export async function tlsConnect(port: number, { cert: ca }: Authority, client?: Certificate): Promise<TLSSocket> {
  const own = client && { cert: client.cert, key: client.key };
  const socket = connect({ host: '127.0.0.1', port, ca, ...own });
  whenTestEnds(() => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.on('error', reject);
  });
  return socket;
}
