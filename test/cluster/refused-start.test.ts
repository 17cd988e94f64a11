import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { needs, SystemProgram } from '../foreign/system-program.ts';
import { folderForEachTest, whenTestEnds } from '../server/clean-up.ts';
import { expectStartFails } from '../server/running-program.ts';
import { startEtcd } from '../support/etcd.ts';
import { Authority } from '../transports/certificates.ts';

/** etcd may take a fifth of it for an answer, however busy the machine is. */
const LEASE_SECONDS = 10;
const WITHOUT_GRPC = fileURLToPath(new URL('without-grpc.js', import.meta.url));

describe('a server that may not join its cluster', function () {
  this.timeout(30_000);
  const folder = folderForEachTest();

  function configFor(etcd: string, more: object): readonly string[] {
    const cluster = { etcd: [etcd], node: 'a', advertise: '127.0.0.1:1', leaseSeconds: LEASE_SECONDS, ...more };
    return ['--config', folder.writeSettings({ host: '127.0.0.1', cluster }), '--port', 'auto'];
  }

  it('ends with its own code and says why: a certificate that it does not trust, a wrong password', async function () {
    needs(this, 'etcd', 'etcdctl', 'openssl');
    const [authority, other] = [new Authority(), new Authority('other')];
    const etcd = await startEtcd({ tls: authority.issue('etcd') });
    whenTestEnds(() => etcd.stop());
    const [endpoint = ''] = etcd.endpoints;
    const trusting = `--cacert=${authority.certFile}`;
    etcd.control(trusting, 'user', 'add', 'root:secret');
    etcd.control(trusting, 'auth', 'enable');
    const login = { user: 'root', password: 'wrong' };
    for (const [tls, complaint] of [
      [other, /etcd at https:.* cannot be trusted, or does not trust us; look at the certificates: /],
      [authority, /etcd at https:.* denies access: authentication failed/],
    ] as const) {
      const config = configFor(endpoint, { tls: { ca: tls.certFile }, ...login });
      await expectStartFails('bin/server.js', EXIT_CODES.cluster, complaint, ...config);
    }
  });

  it('ends with the same code when the packages of gRPC are missing, and says how to install them', async () => {
    const args = ['--import', WITHOUT_GRPC, 'bin/server.js', ...configFor('http://127.0.0.1:1', {})];
    const program = new SystemProgram(process.execPath, args);
    expect(await program.exit).to.deep.equal({ code: EXIT_CODES.cluster, signal: null });
    expect(program.errorOutput).to.equal(
      'holdfast: a cluster on etcd needs the package @grpc/grpc-js: npm install @grpc/grpc-js\n',
    );
  });
});
