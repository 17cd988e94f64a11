/** Certificates for tests, made by openssl: an authority, a server and a client. */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { whenTestEnds } from '../server/clean-up.ts';

/** Files in PEM. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What a server with TLS and its clients need. */
export interface Certificates {
  readonly ca: CertificateFiles;
  readonly server: CertificateFiles;
  readonly client: CertificateFiles;
}

/** Makes an authority and certificates of it for a server at 127.0.0.1 and a client, as files in that folder. */
export function makeCertificates(folder: string): Certificates {
  const ca = filesIn(folder, 'ca');
  const subject = ['-subj', '/CN=authority of the tests'];
  openssl('req', '-x509', '-days', '2', ...subject, ...newKey(ca), '-out', ca.certFile);
  return { ca, server: makeCertificate(folder, ca, 'server'), client: makeCertificate(folder, ca, 'client') };
}

/** Makes one more certificate of that authority, for a server at 127.0.0.1 or a client called so. */
export function makeCertificate(folder: string, ca: CertificateFiles, name: string): CertificateFiles {
  const files = filesIn(folder, name);
  const request = join(folder, `${name}.csr`);
  const extensions = join(folder, `${name}.ext`);
  writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  openssl('req', '-subj', `/CN=${name}`, ...newKey(files), '-out', request);
  const authority = ['-CA', ca.certFile, '-CAkey', ca.keyFile, '-CAcreateserial'];
  openssl('x509', '-req', '-days', '2', '-in', request, ...authority, '-extfile', extensions, '-out', files.certFile);
  return files;
}

/**
 * Connects by TLS to a server of that authority, with a client certificate if there is one. A server that misses one
 * closes the connection only after that.
 */
export async function tlsConnect(port: number, ca: CertificateFiles, client?: CertificateFiles): Promise<TLSSocket> {
  const own = client && { cert: readFileSync(client.certFile), key: readFileSync(client.keyFile) };
  const socket = connect({ host: '127.0.0.1', port, ca: readFileSync(ca.certFile), ...own });
  whenTestEnds(() => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.on('error', reject);
  });
  return socket;
}

function filesIn(folder: string, name: string): CertificateFiles {
  return { certFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) };
}

function newKey({ keyFile }: CertificateFiles): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
}

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
}
