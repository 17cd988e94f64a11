/** TLS: the server's files, its handshake timeout, and the client's options. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ConnectionOptions, TlsOptions } from 'node:tls';
import { show } from '../message/show.ts';

/** How many milliseconds a handshake may take by default. */
export const DEFAULT_HANDSHAKE_TIMEOUT_MS = 5_000;
/** The longest time that the system's timers can wait. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** How long a listener waits for a handshake. */
export interface HandshakeOptions {
  /**
   * Closes a connection when its TLS or WebSocket handshake takes longer than this many milliseconds; a whole number
   * from 1, 5,000 by default.
   */
  readonly handshakeTimeoutMs?: number | undefined;
}

/** How many milliseconds a handshake may take. @throws RangeError when it is no whole number from 1 that a timer can wait. */
export function handshakeTimeoutOf({ handshakeTimeoutMs = DEFAULT_HANDSHAKE_TIMEOUT_MS }: HandshakeOptions): number {
  if (Number.isInteger(handshakeTimeoutMs) && handshakeTimeoutMs >= 1 && handshakeTimeoutMs <= LONGEST_DELAY_MS) {
    return handshakeTimeoutMs;
  }
  throw new RangeError(
    `handshakeTimeoutMs is ${handshakeTimeoutMs}; expected a whole number from 1 to ${LONGEST_DELAY_MS}`,
  );
}

/** The server's files, in PEM. */
export interface TlsFiles {
  /** The certificate, followed by the intermediate certificates. */
  readonly certFile: string;
  /** Its private key. */
  readonly keyFile: string;
  /** Certificates of the authorities that sign client certificates. If it is set, clients must have a certificate. */
  readonly caFile?: string | undefined;
}

/** The client's certificates and key, in PEM. */
export interface DialTlsOptions {
  /** Certificates of the authorities that may sign the server's certificate; the system's by default. */
  readonly ca?: string | undefined;
  /** The client's own certificate and its key, if the server asks for them. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server's certificate must have; the host's by default. */
  readonly serverName?: string | undefined;
}

/**
 * Reads the files. @throws Error that names the setting and the file when a file cannot be read or has wrong content.
 */
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

/**
 * Reads all certificates of a file. TLS itself silently skips the first authority that it cannot read, and all after
 * it.
 */
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

/** Turns these options into options of Node's `connect`. */
export function tlsConnectOptions({ ca, cert, key, serverName }: DialTlsOptions): ConnectionOptions {
  for (const [name, text] of Object.entries({ ca, cert, key })) requirePem(`tls.${name}`, text);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

/** @throws TypeError when the text is not PEM but, for example, the path of a file. */
function requirePem(name: string, text: string | undefined): void {
  if (text === undefined || (typeof text === 'string' && text.includes('-----BEGIN '))) return;
  throw new TypeError(
    `${name} is ${show(text)}; expected the text of a file in PEM, which has a line -----BEGIN ...-----`,
  );
}
