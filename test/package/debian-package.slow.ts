/**
 * Builds the Debian package, and installs, uses and removes it on a machine of its own with systemd.
 *
 *     npm run test:package
 */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { needs } from '../foreign/system-program.ts';
import { FreshProject } from './fresh-project.ts';
import { runOnMachine } from './machine.ts';

/** Node is on the machine, but not as a package of Debian. */
const INSTALL = 'dpkg --force-depends --install /shared/holdfast.deb >/dev/null 2>&1';

const COMPLETIONS = [
  'bash-completion/completions/holdfast',
  'fish/vendor_completions.d/holdfast.fish',
  'zsh/vendor-completions/_holdfast',
];

/** Each line of its output is a name and what came out. */
const SCRIPT = `
tell() { local name=$1; shift; echo "$name: $("$@" 2>&1 | tr '\\n' ' ')"; }
property() { systemctl show holdfast --property="$1" --value; }
[ -e /usr/bin/node ] || ln -s ${process.execPath} /usr/bin/node

${INSTALL}
tell enabled systemctl is-enabled holdfast
tell active systemctl is-active holdfast
tell owner stat --format='%U %a' /var/lib/holdfast
tell help sh -c 'holdfast --help | head -1'
tell manual man --where holdfast
tell completions bash -c 'cd /usr/share && ls {bash-completion,zsh,fish}/*completions*/*holdfast*'

# A socket for operators.
groupadd operators
mkdir -p /etc/systemd/system/holdfast.service.d
printf '[Service]\\nSupplementaryGroups=operators\\n' >/etc/systemd/system/holdfast.service.d/operators.conf
sed -i 's/"mode": "0600"/"mode": "0660", "group": "operators"/' /etc/holdfast/settings.json
systemctl daemon-reload

systemctl start holdfast
tell started systemctl is-active holdfast
tell status property StatusText
tell user ps -o user= -p "$(property MainPID)"
tell locked holdfast run -o -n jobs -- echo done
tell operators stat --format='%G %a' /run/holdfast/holdfast.sock
tell socket holdfast run --server unix:/run/holdfast/holdfast.sock -o -n jobs -- echo done
tell ready curl --silent http://127.0.0.1:20935/readyz
systemd-analyze security holdfast --threshold=25 >/dev/null
systemctl reload holdfast
until [ "$(systemctl is-active holdfast)" = active ]; do sleep 0.1; done

# A server that hangs, and keys that only root may read.
cd /etc/holdfast
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout tls.key -out tls.crt -subj /CN=localhost \\
  -addext subjectAltName=DNS:localhost 2>/dev/null
chmod 0600 tls.key
{
  echo '[Service]'
  echo WatchdogSec=2
  sed -n 's/^#LoadCredential/LoadCredential/p' /usr/lib/systemd/system/holdfast.service
  echo ExecStart=
  sed -n '/^ExecStart=/s/$/ --tls-cert %d\\/tls.crt --tls-key %d\\/tls.key/p' /usr/lib/systemd/system/holdfast.service
} >/etc/systemd/system/holdfast.service.d/test.conf
systemctl daemon-reload
systemctl restart holdfast
tell encrypted holdfast run --tls-ca tls.crt --server localhost:20934 -o -n jobs -- echo done
kill -STOP "$(property MainPID)"
until [ "$(property NRestarts)" = 1 ] && [ "$(property SubState)" = running ]; do sleep 0.1; done
tell revived holdfast run --tls-ca tls.crt --server localhost:20934 -o -n jobs -- echo done

# An upgrade, here to the same version, goes on with the locks.
before=$(property MainPID)
holdfast run --tls-ca tls.crt --server localhost:20934 -o -n jobs -- sleep infinity &
until holdfast ls --tls-ca tls.crt --server localhost:20934 | grep -q jobs; do sleep 0.1; done
${INSTALL}
tell upgraded sh -c "[ $before != $(property MainPID) ] && systemctl is-active holdfast"
tell kept sh -c 'holdfast ls --tls-ca tls.crt --server localhost:20934 | grep -o jobs'
kill %1

systemctl enable --quiet holdfast
rm -r tls.* /etc/systemd/system/holdfast.service.d
cd /
dpkg --remove holdfast >/dev/null 2>&1
tell removed sh -c 'pgrep -u holdfast; ls /var/lib/holdfast /etc/holdfast'
dpkg --purge holdfast >/dev/null 2>&1
tell purged sh -c 'find /etc /usr /var /run -xdev -name "*holdfast*"; getent passwd holdfast; getent group holdfast'
`;

describe('the Debian package', function () {
  this.timeout(600_000);
  let project: FreshProject;

  before(async function () {
    needs(this, 'dpkg-deb', 'systemd-nspawn', 'curl', 'openssl');
    if (process.getuid?.() !== 0) this.skip();
    project = await FreshProject.make();
  });
  after(() => project?.remove());

  it('installs a server that starts when it is told to, and leaves nothing behind', () => {
    project.write({});
    execFileSync('packaging/debian/make', [project.tarball, project.path], { stdio: 'pipe' });
    const [name] = readdirSync(project.path).filter((file) => file.endsWith('.deb'));
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string };
    expect(name).to.equal(`holdfast_${version}_all.deb`);
    const output = runOnMachine(SCRIPT, { 'holdfast.deb': readFileSync(join(project.path, name as string)) });
    const told = output.split('\n').flatMap((line) => {
      const [, key, value] = /^(\w+): (.*?) *$/.exec(line) ?? [];
      return key === undefined ? [] : [[key, value] as const];
    });
    expect(Object.fromEntries(told), output).to.deep.equal({
      enabled: 'disabled',
      active: 'inactive',
      owner: 'holdfast 700',
      help: 'Usage: holdfast [options] [command]',
      manual: '/usr/share/man/man1/holdfast.1.gz',
      completions: COMPLETIONS.join(' '),
      started: 'active',
      status: `holdfast ${version} listens on 127.0.0.1:20934, /run/holdfast/holdfast.sock, allowed: 127.0.0.1, ::1`,
      user: 'holdfast',
      locked: 'done',
      operators: 'operators 660',
      socket: 'done',
      ready: 'ok',
      encrypted: 'done',
      revived: 'done',
      upgraded: 'active',
      kept: 'jobs',
      removed: '/etc/holdfast: settings.json  /var/lib/holdfast: lock sessions stop tokens',
      purged: '',
    });
  });
});
