/** TLS: the files that a server needs, how long it waits for a handshake, and what a client needs. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ConnectionOptions, TlsOptions } from 'node:tls';
import { show } from '../message/show.ts';

const DEFAULT_HANDSHAKE_TIMEOUT_MS = 5_000;
/** The system's timers know no longer time. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** How patient a listener is with those who connect. */
export interface HandshakeOptions {
  /**
   * Milliseconds until a connection is closed whose handshake, of TLS or of WebSocket, is not over; a whole number from
   * 1, 5,000 by default.
   */
  readonly handshakeTimeoutMs?: number | undefined;
}

/** Milliseconds that a handshake may take. @throws RangeError when that is no time that can be waited. */
export function handshakeTimeoutOf({ handshakeTimeoutMs = DEFAULT_HANDSHAKE_TIMEOUT_MS }: HandshakeOptions): number {
  if (Number.isInteger(handshakeTimeoutMs) && handshakeTimeoutMs >= 1 && handshakeTimeoutMs <= LONGEST_DELAY_MS) {
    return handshakeTimeoutMs;
  }
  throw new RangeError(
    `handshakeTimeoutMs is ${handshakeTimeoutMs}; expected a whole number from 1 to ${LONGEST_DELAY_MS}`,
  );
}

/** Files in PEM. */
export interface TlsFiles {
  /** The certificate, with the intermediate ones behind it. */
  readonly certFile: string;
  /** Its private key. */
  readonly keyFile: string;
  /** Certificates of the authorities whose clients may connect; with it a client certificate is required. */
  readonly caFile?: string | undefined;
}

/** What a client needs, in PEM. */
export interface DialTlsOptions {
  /** Certificates of the authorities that the server's must come from; the system's when it is left out. */
  readonly ca?: string | undefined;
  /** The client's own certificate and key, where the server asks for one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server's certificate must have, when that is not the host's. */
  readonly serverName?: string | undefined;
}

/** Reads the files. @throws Error that names the setting and the file when one cannot be read, or is not what it should be. */
export function readTlsFiles({ certFile, keyFile, caFile }: TlsFiles): TlsOptions {
  const cert = readFile('cert', certFile);
  const key = readFile('key', keyFile);
  const [certificate] = parse('cert', certFile, 'a certificate in PEM', () => readCertificates(cert));
  const privateKey = parse('key', keyFile, 'a private key in PEM, without a passphrase', () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(`tls.key is ${keyFile}; expected the key of the certificate in tls.cert, ${certFile}`);
  }
  return { cert, key, ...(caFile === undefined ? {} : readAuthorities(caFile)) };
}

function readAuthorities(caFile: string): TlsOptions {
  const ca = readFile('ca', caFile);
  parse('ca', caFile, 'certificates in PEM', () => readCertificates(ca));
  return { ca, requestCert: true, rejectUnauthorized: true };
}

/** All of a file: TLS itself leaves out, without a word, the first authority that it cannot read and those behind it. */
function readCertificates(pem: Buffer): [X509Certificate, ...X509Certificate[]] {
  const [first = '', ...others] = pem.toString('latin1').match(CERTIFICATE) ?? [];
  return [new X509Certificate(first), ...others.map((each) => new X509Certificate(each))];
}

const CERTIFICATE = /-----BEGIN [A-Z0-9 ]*CERTIFICATE-----[^-]*(-----END [A-Z0-9 ]*CERTIFICATE-----)?/g;

function readFile(setting: string, file: string): Buffer {
  return parse(setting, file, 'a file that can be read', () => readFileSync(file));
}

function parse<Parsed>(setting: string, file: string, expected: string, make: () => Parsed): Parsed {
  try {
    return make();
  } catch (error) {
    throw new Error(`tls.${setting} is ${file}; expected ${expected}: ${(error as Error).message}`, { cause: error });
  }
}

/** The options of the system's `connect` for them. */
export function tlsConnectOptions({ ca, cert, key, serverName }: DialTlsOptions): ConnectionOptions {
  for (const [name, text] of Object.entries({ ca, cert, key })) requirePem(`tls.${name}`, text);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

/** @throws TypeError when it is something else, such as the path of a file. */
function requirePem(name: string, text: string | undefined): void {
  if (text === undefined || (typeof text === 'string' && text.includes('-----BEGIN '))) return;
  throw new TypeError(
    `${name} is ${show(text)}; expected the text of a file in PEM, which has a line -----BEGIN ...-----`,
  );
}
