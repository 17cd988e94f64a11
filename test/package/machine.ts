/** A machine with systemd that has the programs of this one, and can change nothing of it. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TIMEOUT_MS = 300_000;
const MAX_OUTPUT_BYTES = 1_048_576;

/** Runs once the machine is up, and ends it. */
const UNIT = `[Unit]
Requires=basic.target
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'bash -e /shared/script >/shared/output 2>&1; echo $? >/shared/status'
ExecStopPost=/bin/systemctl poweroff --force
`;

/** Boots on a copy of all files, of which only changes are kept, in memory. What is mounted here is gone with the process. */
const BOOT = `set -e
shared=$1; layers=$shared/layers; root=$layers/root
mkdir "$layers"
mount -t tmpfs none "$layers"
mkdir "$layers/changes" "$layers/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layers/changes,workdir=$layers/work" "$root"
rm -rf "$root"/etc/systemd/system
mkdir "$root"/etc/systemd/system
# Without the file it would be a first boot, which enables services of all kinds.
: >"$root"/etc/machine-id
ln -s /dev/null "$root"/etc/systemd/system/systemd-networkd-wait-online.service
cp "$shared/script.service" "$root/etc/systemd/system/"
# Where the system has its control groups in the older way, systemd gets the newer one.
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec systemd-nspawn --quiet --register=no --keep-unit --private-network --machine=holdfast-test --bind="$shared:/shared" \\
  --directory="$root" --boot systemd.unit=script.service
`;

/**
 * Boots a machine, runs a script of bash in it with the files in /shared, and returns what it printed.
 * @throws Error with the output when the script or the machine fails.
 */
export function runOnMachine(script: string, files: Readonly<Record<string, Buffer | string>>): string {
  const shared = mkdtempSync(join(tmpdir(), 'holdfast-machine-'));
  try {
    for (const [name, content] of Object.entries({ ...files, script, 'script.service': UNIT })) {
      writeFileSync(join(shared, name), content);
    }
    const args = ['--mount', '--propagation', 'private', 'bash', '-c', BOOT, 'boot', shared];
    execFileSync('unshare', args, { timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES, stdio: 'pipe' });
    const output = readFileSync(join(shared, 'output'), 'utf8');
    const status = readFileSync(join(shared, 'status'), 'utf8').trim();
    if (status !== '0') throw new Error(`the script ended with ${status}:\n${output}`);
    return output;
  } finally {
    rmSync(shared, { recursive: true, force: true });
  }
}
