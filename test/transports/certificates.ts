/** Certificates made by the openssl program, in a folder that is removed when the test ends, unless another is given. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '../server/clean-up.ts';

/** A certificate and its key: the files and their content. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** The files of a TLS server, and the certificate that its clients trust. */
export interface ServerIdentity {
  readonly tls: Certificate;
  readonly ca: string;
}

let identity: ServerIdentity | undefined;

/** For tests that are not about certificates: made once in a process, since that takes a while. */
export function serverIdentity(): ServerIdentity {
  if (identity === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
    process.once('exit', () => rmSync(folder, { recursive: true }));
    const authority = new Authority('authority', folder);
    identity = { tls: authority.issue('server'), ca: authority.cert };
  }
  return identity;
}

/** An authority whose certificates are for `localhost` and 127.0.0.1. */
export class Authority {
  readonly #folder: string;
  readonly #own: Certificate;

  constructor(name = 'authority', folder: string = makeFolder()) {
    this.#folder = folder;
    this.#own = this.#make(name, ['-addext', 'basicConstraints=critical,CA:TRUE']);
  }

  /** The authority's own certificate. */
  get own(): Certificate {
    return this.#own;
  }

  get certFile(): string {
    return this.#own.certFile;
  }

  get cert(): string {
    return this.#own.cert;
  }

  /** Makes a certificate, and overwrites an earlier one of the same name. */
  issue(name: string): Certificate {
    const { certFile, keyFile } = this.#own;
    return this.#make(name, [
      ...['-CA', certFile, '-CAkey', keyFile],
      ...['-addext', 'basicConstraints=CA:FALSE', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
    ]);
  }

  /** Makes a certificate that was valid until yesterday. */
  issueExpired(name: string): Certificate {
    const { certFile, keyFile } = this.issue(name);
    const signing = ['-CA', this.#own.certFile, '-CAkey', this.#own.keyFile, '-set_serial', '1', '-days', '-1'];
    const request = join(this.#folder, `${name}.csr`);
    const key = ['-new', '-key', keyFile, '-subj', `/CN=${name}`];
    execFileSync('openssl', ['req', ...key, '-out', request], { stdio: 'pipe' });
    execFileSync('openssl', ['x509', '-req', '-in', request, ...signing, '-out', certFile], { stdio: 'pipe' });
    return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  }

  #make(name: string, options: readonly string[]): Certificate {
    const certFile = join(this.#folder, `${name}.pem`);
    const keyFile = join(this.#folder, `${name}.key`);
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-keyout', keyFile];
    const request = ['req', '-x509', ...key, '-out', certFile, '-days', '2', '-subj', `/CN=${name}`, ...options];
    execFileSync('openssl', request, { stdio: 'pipe' });
    return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  }
}
